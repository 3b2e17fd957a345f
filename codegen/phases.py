"""Transposed convolutions whose windows lie side by side, run by kernels of pointwise convolutions.

Where kernel and stride are the same, every output pixel is met by one tap of one input pixel. Output rows of
the same remainder by the stride are made by the same row of taps: each is a pointwise convolution of an input
row, with as many times the output channels as the window has columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from ..ir import Tensor
from ..ir.ops.conv2d import Conv2D
from ..ir.ops.transpose_conv import TransposeConv
from ..ir.window import Window
from ..passes.planner.kernel import Call, Kernel, RowLoop, Tensors

_STEM = "pl_pointwise_"


def phase_kernels(kernels: Sequence[Kernel]) -> tuple[Kernel, ...]:
    """The kernels of pointwise convolutions among `kernels`, for such transposed convolutions."""
    return tuple(_phased(k) for k in kernels if k.op is Conv2D and k.name.startswith(_STEM))


def _phased(kernel: Kernel) -> Kernel:
    return replace(
        kernel,
        op=TransposeConv,
        accepts=partial(_accepts, kernel),
        emit=partial(_emit, kernel),
        scratch_bytes=partial(_scratch, kernel),
        work=partial(_work, kernel),
    )


def _accepts(kernel: Kernel, op: TransposeConv, tensors: Tensors) -> bool:
    window, x = op.window, tensors[op.x].shape
    side_by_side = window.kernel == window.stride and not any(pair[0] for pair in window.padding)
    grown = x[1] * window.stride[0], x[2] * window.stride[1]
    if not side_by_side or op.output_size != grown or op.groups(tensors) != 1 or window.dilation != (1, 1):
        return False
    return all(kernel.accepts(*phase) and _is_one_run(kernel.emit(*phase)) for phase in _phases(op, tensors))


def _is_one_run(calls: Sequence[Call]) -> bool:
    """Whether a kernel takes the pixels at once; some take them in rows of their own."""
    return len(calls) == 1 and calls[0].rows is None and "x" in calls[0].args


def _phases(op: TransposeConv, tensors: Tensors) -> Iterator[tuple[Conv2D, Tensors]]:
    """The pointwise convolution of one input row for each row of the window."""
    x, y, weights = (tensors[v] for v in (op.x, op.y, op.weights))
    assert weights.data is not None
    width, (kernel_h, kernel_w) = x.shape[2], op.window.kernel
    changed = {
        op.x: replace(x, shape=(1, 1, width, x.shape[3])),
        op.y: replace(y, shape=(1, 1, width, kernel_w * y.shape[3])),
    }
    if op.bias is not None:
        changed[op.bias] = _repeated(tensors[op.bias], kernel_w)
    for ky in range(kernel_h):
        taps = np.moveaxis(weights.data[:, ky], 1, 0).reshape(-1, 1, 1, x.shape[3])
        quant = _repeated(weights, kernel_w).quant
        changed[op.weights] = replace(weights, shape=taps.shape, data=np.ascontiguousarray(taps), quant=quant)
        conv = Conv2D(
            op.name, op.x, op.weights, op.bias, op.y, Window((1, 1)), op.activation, rounding=op.rounding
        )
        yield conv, {**tensors, **changed}


def _repeated(t: Tensor, times: int) -> Tensor:
    """A tensor of one value or scale per output channel, for all taps of a row of the window."""
    quant = t.quant
    if quant is not None and quant.per_axis:
        quant = replace(quant, scale=quant.scale * times, zero_point=quant.zero_point * times)
    if t.data is None or t.data.ndim > 1:
        return replace(t, quant=quant)
    data = np.tile(t.data, times)
    return replace(t, quant=quant, data=data, shape=data.shape)


def _emit(kernel: Kernel, op: TransposeConv, tensors: Tensors) -> tuple[Call, ...]:
    """One call per row of the window; together they make as many output rows of one input row."""
    x, y, stride = tensors[op.x], tensors[op.y], op.window.stride[0]
    pitch = y.shape[2] * y.shape[3]
    rows = RowLoop(
        height=x.shape[1],
        pitch=x.shape[2] * x.shape[3],
        taps=1,
        stride=1,
        dilation=1,
        pad_top=0,
        out_rows=y.shape[1],
        out_pitch=pitch,
        pad=None,
        block=stride,
        first=f"oy / {stride}" if stride > 1 else "oy",
    )
    calls: list[Call] = []
    for ky, phase in enumerate(_phases(op, tensors)):
        (call,) = kernel.emit(*phase)
        moved = ky * pitch * y.dtype.itemsize
        pointers = (replace(p, offset=p.offset + moved) if p.name == "y" else p for p in call.pointers)
        args = tuple("rows[0]" if a == "x" else a for a in call.args)
        calls.append(replace(call, pointers=tuple(pointers), args=args, rows=rows))
    return tuple(calls)


def _scratch(kernel: Kernel, op: TransposeConv, tensors: Tensors) -> int:
    return max(kernel.scratch_bytes(*phase) for phase in _phases(op, tensors))


def _work(kernel: Kernel, op: TransposeConv, tensors: Tensors) -> Mapping[str, int]:
    """That of all rows."""
    total: dict[str, int] = {}
    for phase in _phases(op, tensors):
        for name, count in kernel.work(*phase).items():
            total[name] = total.get(name, 0) + count * tensors[op.x].shape[1]
    return total
