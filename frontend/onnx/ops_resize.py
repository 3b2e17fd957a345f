"""Importers of Resize in all its operator sets, and of Upsample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...ir import Op
from ...ir.interpolation import Interpolation
from ...ir.ops.resize import Resize
from ...ir.ops.resize_bilinear import ResizeBilinear
from ...ir.ops.resize_nearest import ResizeNearest
from ..tflite.builder import axis_of
from ..tflite.tensors import Unsupported
from .builder import Converter
from .node import NodeImport
from .spatial import Pair, spatial_op

MAX_SIDE = 1 << 15

# Flags (align_corners, half_pixel_centers) of the operators that integer kernels and TFLite have.
_FLAGS = {
    "align_corners": (True, False),
    "asymmetric": (False, False),
    "half_pixel": (False, True),
    "pytorch_half_pixel": (False, True),
}


@dataclass(frozen=True)
class _Target:
    """Size, scale and shown part of every dimension behind a Resize."""

    sizes: tuple[int, ...]
    scales: tuple[float, ...]
    roi: tuple[tuple[float, float], ...]


def _numbers(op: NodeImport, position: int, what: str) -> list[float]:
    """A constant operand of numbers, [] when absent or empty."""
    if not op.has(position):
        return []
    data = op.constant(position, what)
    if data.size > 64 or data.dtype.kind not in "fiu":
        raise Unsupported(f"{what} are numbers", f"{data.dtype}{list(data.shape)}")
    return [float(v) for v in data.ravel()]


def _target(op: NodeImport, shape: tuple[int, ...]) -> _Target:
    """From scales or sizes, of all dimensions or of `axes`."""
    rank = len(shape)
    modern = op.node.op_type == "Resize" and op.opset >= 11
    given = op.attribute("scales")
    scales = [float(v) for v in given] if given is not None else _numbers(op, 2 if modern else 1, "scales")
    sizes = [int(v) for v in _numbers(op, 3, "sizes")] if modern else []
    roi = _numbers(op, 1, "roi") if modern else []
    axes = [axis_of(a, rank, "axes") for a in op.ints_attribute("axes") or range(rank)]
    if len(scales or sizes) != len(axes):
        raise Unsupported("there is a scale or size per dimension", f"{scales or sizes} for {len(axes)}")
    if sizes:
        sizes, scales = _fitted(op, [shape[a] for a in axes], sizes)
    elif not all(0 < s <= MAX_SIDE for s in scales):
        raise Unsupported("scales are positive", str(scales))
    else:
        sizes = [int(np.floor(shape[a] * np.float32(s))) for a, s in zip(axes, scales, strict=True)]
    whole = {a: (n, s, (0.0, 1.0)) for a, n, s in zip(axes, sizes, scales, strict=True)}
    if len(roi) == 2 * len(axes):
        whole = {a: (*whole[a][:2], (roi[i], roi[i + len(axes)])) for i, a in enumerate(axes)}
    full = [whole.get(d, (n, 1.0, (0.0, 1.0))) for d, n in enumerate(shape)]
    return _Target(tuple(f[0] for f in full), tuple(f[1] for f in full), tuple(f[2] for f in full))


def _fitted(op: NodeImport, old: list[int], sizes: list[int]) -> tuple[list[int], list[float]]:
    """Sizes and scales, with the aspect ratio kept where the node asks for it."""
    if not all(1 <= n <= MAX_SIDE for n in sizes):
        raise Unsupported(f"sizes lie in [1, {MAX_SIDE}]", str(sizes))
    scales = [float(np.float32(n) / np.float32(o)) for n, o in zip(sizes, old, strict=True)]
    policy = op.text("keep_aspect_ratio_policy", "stretch")
    if policy == "stretch":
        return sizes, scales
    if policy not in ("not_larger", "not_smaller"):
        raise Unsupported("keep_aspect_ratio_policy is stretch, not_larger or not_smaller", policy)
    scale = min(scales) if policy == "not_larger" else max(scales)
    return [int(np.floor(scale * o + 0.5)) for o in old], [scale] * len(scales)


def _interpolation(op: NodeImport) -> Interpolation:
    modern = op.node.op_type == "Resize" and op.opset >= 11
    return Interpolation(
        mode=op.text("mode", "nearest"),
        coordinates=op.text("coordinate_transformation_mode", "half_pixel") if modern else "asymmetric",
        nearest=op.text("nearest_mode", "round_prefer_floor") if modern else "floor",
        cubic_a=op.number("cubic_coeff_a", -0.75),
        exclude_outside=bool(op.integer("exclude_outside", 0)),
        antialias=bool(op.integer("antialias", 0)),
        extrapolation=op.number("extrapolation_value", 0.0),
    )


def _plain(op: NodeImport, general: Resize) -> Op:
    """The resize that integer kernels have, where it is the same."""
    tensors, how = op.builder.tensors, general.how
    shape = tensors[general.x].shape
    if how.coordinates not in _FLAGS or how.antialias or min(shape) < 1 or len(shape) != 4:
        return general
    same = all(
        abs(s * n - m) < 1e-3 for s, n, m in zip(general.scales, shape[1:3], general.size, strict=True)
    )
    flags = _FLAGS[how.coordinates]
    if how.mode == "linear" and same and (how.coordinates != "pytorch_half_pixel" or min(general.size) > 1):
        return ResizeBilinear(general.name, general.x, general.y, general.size, *flags)
    if how.mode == "nearest":
        wanted = [t[0][:, 0] for t in general.taps(tensors)]
        for candidate in (flags, (False, False), (False, True), (True, False)):
            nearest = ResizeNearest(general.name, general.x, general.y, general.size, *candidate)
            if all(np.array_equal(a, b) for a, b in zip(wanted, nearest.indices(tensors), strict=True)):
                return nearest
    return general


def _resize(op: NodeImport) -> None:
    """Two neighbouring dimensions change: the last two, or those before the channels."""
    shape = op.shape()
    target, how = _target(op, shape), _interpolation(op)
    changed = {d for d in range(len(shape)) if target.sizes[d] != shape[d] or target.scales[d] != 1.0}
    if how.coordinates == "tf_crop_and_resize":
        changed |= {d for d, part in enumerate(target.roi) if part != (0.0, 1.0)}
    if not changed:
        op.alias(op.x())
        return

    def emit_on(first: int) -> None:
        rows: tuple[int, int] = (first, first + 1)
        size: Pair = (target.sizes[rows[0]], target.sizes[rows[1]])
        scales, roi = tuple(target.scales[d] for d in rows), tuple(target.roi[d] for d in rows)

        def emit(x: str, y: str) -> None:
            general = Resize(op.name(), x, y, size, (scales[0], scales[1]), how, (roi[0], roi[1]))
            op.emit(_plain(op, general))

        if first == 2:
            spatial_op(op, emit)
        else:
            emit(op.x(), op.y())

    if len(shape) == 4 and changed <= {2, 3}:
        emit_on(2)
    elif len(shape) == 4 and changed <= {1, 2} and shape[0] == 1:
        emit_on(1)
    else:
        found = f"{list(shape)} to {list(target.sizes)}"
        raise Unsupported("rows and columns of [N,C,H,W] or [1,H,W,C] are resized", found)


CONVERTERS: dict[str, Converter] = {"Resize": _resize, "Upsample": _resize}
