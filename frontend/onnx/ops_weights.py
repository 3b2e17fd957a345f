"""Importers of operators with weights: convolutions and matrix products."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...ir import DType, Window
from ...ir.ops.add import Add
from ...ir.ops.conv2d import Conv2D
from ...ir.ops.depthwise_conv2d import DepthwiseConv2D
from ...ir.ops.fully_connected import FullyConnected
from ...ir.ops.matmul import MatMul
from ...ir.ops.mul import Mul
from ...ir.ops.reshape import Reshape
from ...ir.ops.transpose import Transpose
from ...ir.ops.transpose_conv import TransposeConv
from ..tflite.tensors import Unsupported
from .builder import Converter
from .node import NodeImport
from .ops_movement import emit_reshape
from .spatial import Pair, check_window, explicit_pads, kernel_last, spatial_op, spatial_shape, window_of


def weights_of(op: NodeImport, position: int, what: str = "weights") -> np.ndarray:
    """A constant operand of finite floats. Raises Unsupported."""
    data = op.constant(position, what)
    if data.dtype == np.float16:
        data = data.astype(np.float32)
    if data.dtype != np.float32:
        raise Unsupported(f"{what} are float32", data.dtype.name)
    if not np.isfinite(data).all():
        found = f"{op.node.input[position]!r} holds NaN or infinity"
        raise Unsupported(f"{what} are finite numbers", found, "the training diverged, or the export failed")
    return data


def conv_geometry(op: NodeImport, weights: np.ndarray) -> tuple[Window, int]:
    """(window, groups) of a Conv with weights [OC,IC/groups,KH,KW]. Raises Unsupported."""
    _, channels, _, _ = spatial_shape(op)
    if weights.ndim != len(op.shape()):
        raise Unsupported("weights have as many dimensions as the input", f"{list(weights.shape)}")
    groups = op.integer("group", 1)
    if groups < 1 or channels != weights.shape[1] * groups or weights.shape[0] % groups:
        found = f"{channels} channels, {groups} groups, weights {list(weights.shape)}"
        raise Unsupported("channels divide into groups as the weights say", found)
    return window_of(op, kernel_of(weights)), groups


def kernel_of(weights: np.ndarray) -> Pair:
    """(height, width) of weights [A,B,KH,KW] or [A,B,K]."""
    kernel = weights.shape[2:]
    return (1, kernel[0]) if len(kernel) == 1 else (kernel[0], kernel[1])


def _conv(op: NodeImport) -> None:
    weights = weights_of(op, 1)
    window, groups = conv_geometry(op, weights)
    bias = op.make_constant(weights_of(op, 2, "biases"), "bias") if op.has(2) else None
    depthwise = groups > 1 and weights.shape[1] == 1
    last = kernel_last(weights)
    if depthwise:
        last = np.ascontiguousarray(last.transpose(3, 1, 2, 0))
    w = op.make_constant(last, "weights")
    kind = DepthwiseConv2D if depthwise else Conv2D
    spatial_op(op, lambda x, y: op.emit(kind(op.name(), x, w, bias, y, window)))


def _transposed_pads(op: NodeImport, window: Window, extra: Pair) -> tuple[tuple[Pair, Pair], Pair]:
    """((top, bottom), (left, right)) cut off the whole output, and the output's size."""
    _, _, height, width = spatial_shape(op)
    dimensions = len(op.shape()) - 2
    whole = [
        (n - 1) * s + e + x
        for n, s, e, x in zip((height, width), window.stride, window.extent, extra, strict=True)
    ]
    wanted = op.ints_attribute("output_shape")
    mode = op.text("auto_pad", "NOTSET")
    if wanted is not None:
        size = (1, *wanted[-1:]) if dimensions == 1 else tuple(wanted[-2:])
    elif mode in ("SAME_UPPER", "SAME_LOWER"):
        size = (height * window.stride[0], width * window.stride[1])
    else:
        pads = explicit_pads(op, dimensions) if mode == "NOTSET" else ((0, 0), (0, 0))
        return pads, (whole[0] - sum(pads[0]), whole[1] - sum(pads[1]))
    pairs = []
    for total in (w - s for w, s in zip(whole, size, strict=True)):
        small, large = max(total, 0) // 2, max(total, 0) - max(total, 0) // 2
        # The odd element is cut off behind for SAME_UPPER, in front otherwise.
        pairs.append((small, large) if mode == "SAME_UPPER" else (large, small))
    return (pairs[0], pairs[1]), (size[0], size[1])


def _conv_transpose(op: NodeImport) -> None:
    """Weights are [IC,OC/groups,KH,KW]; each group is a transposed convolution of its channels."""
    weights = weights_of(op, 1)
    _, channels, _, _ = spatial_shape(op)
    groups, dimensions = op.integer("group", 1), len(op.shape()) - 2
    if weights.ndim != dimensions + 2 or weights.shape[0] != channels or groups < 1 or channels % groups:
        found = f"{channels} channels, {groups} groups, weights {list(weights.shape)}"
        raise Unsupported("channels divide into groups as the weights say", found)
    steps = {n: op.ints_attribute(n) or (d,) * dimensions for n, d in _TRANSPOSED_STEPS.items()}
    if any(len(v) != dimensions or min(v) < 0 or max(v) > 1 << 16 for v in steps.values()):
        raise Unsupported(
            "strides, dilations and output_padding have a number per spatial dimension", str(steps)
        )
    pairs = {n: (_TRANSPOSED_STEPS[n], v[0]) if dimensions == 1 else (v[0], v[1]) for n, v in steps.items()}
    window = Window(kernel_of(weights), pairs["strides"], pairs["dilations"])
    check_window(window)
    padding, size = _transposed_pads(op, window, pairs["output_padding"])
    window = replace(window, padding=padding)
    bias = weights_of(op, 2, "biases") if op.has(2) else None
    last = transposed_weights(weights, groups)
    w = op.make_constant(last, "weights")
    b = op.make_constant(bias, "bias") if bias is not None else None
    spatial_op(op, lambda x, y: op.emit(TransposeConv(op.name(), x, w, b, y, window, size)))


_TRANSPOSED_STEPS = {"strides": 1, "dilations": 1, "output_padding": 0}


def transposed_weights(weights: np.ndarray, groups: int) -> np.ndarray:
    """[IC,OC/groups,KH,KW] as [OC,KH,KW,IC/groups]."""
    if weights.ndim == 3:
        weights = weights[:, :, None, :]
    parts = np.split(weights, groups)
    return np.ascontiguousarray(np.concatenate([p.transpose(1, 2, 3, 0) for p in parts]))


def _matmul(op: NodeImport) -> None:
    """Vectors are rows or columns of one; a constant right matrix makes a fully_connected."""
    a, b = op.shape(0), op.shape(1)
    if not a or not b:
        raise Unsupported("a matrix product has no scalars", f"{list(a)} and {list(b)}")
    weights = op.known(1)
    if weights is not None and weights.ndim == 2 and op.dtype() is DType.FLOAT32 and a[-1] == b[0]:
        w = op.make_constant(np.ascontiguousarray(weights_of(op, 1).T), "weights")
        if len(a) > 1:
            op.emit(FullyConnected(op.name(), op.x(), w, None, op.y(), True))
            return
        row = emit_reshape(op, op.x(), "row", (1, a[0]))
        product = op.temporary("product")
        op.emit(FullyConnected(op.name(), row, w, None, product, True))
        op.emit(Reshape(op.name(), product, op.y(), (b[1],)))
        return
    left = emit_reshape(op, op.x(0), "row", (1, a[0])) if len(a) == 1 else op.x(0)
    right = emit_reshape(op, op.x(1), "column", (b[0], 1)) if len(b) == 1 else op.x(1)
    if len(a) > 1 and len(b) > 1:
        op.emit(MatMul(op.name(), left, right, op.y()))
        return
    product = op.temporary("product")
    op.emit(MatMul(op.name(), left, right, product))
    shape = op.tensor(product).shape
    shape = shape if len(a) > 1 else (*shape[:-2], shape[-1])
    op.emit(Reshape(op.name(), product, op.y(), shape if len(b) > 1 else shape[:-1]))


def _scaled(op: NodeImport, x: str, factor: float, what: str) -> str:
    if factor == 1.0:
        return x
    y = op.temporary(what, like=x)
    op.emit(Mul(op.name(), x, op.make_constant(np.array([factor], np.float32), "factor"), y))
    return y


def _gemm(op: NodeImport) -> None:
    """alpha * A' * B' + beta * C; with constant B and a C of one row it is a fully_connected."""
    a, b = op.shape(0), op.shape(1)
    if len(a) != 2 or len(b) != 2:
        raise Unsupported("Gemm takes matrices", f"{list(a)} and {list(b)}")
    if op.dtype() is not DType.FLOAT32:
        raise Unsupported("Gemm takes float32", op.dtype().value)
    alpha, beta = op.number("alpha", 1.0), op.number("beta", 1.0)
    transpose_a, transpose_b = bool(op.integer("transA", 0)), bool(op.integer("transB", 0))
    outputs = b[0] if transpose_b else b[1]
    x, bias, known = op.x(0), None, op.known(2)
    fused = known is None and not op.has(2)
    if (
        known is not None
        and op.known(1) is not None
        and known.size in (1, outputs)
        and known.shape[-1:] != (0,)
    ):
        row = np.broadcast_to(weights_of(op, 2, "biases").ravel(), (outputs,)) * np.float32(beta)
        if known.size == 1 or known.shape[-1] == outputs:
            bias, fused = op.make_constant(row.astype(np.float32), "bias"), True
    product = op.y() if fused else op.temporary("product")
    if op.known(1) is not None:
        if transpose_a:
            x = op.temporary("transposed")
            op.emit(Transpose(op.name(), op.x(0), x, (1, 0)))
        weights = weights_of(op, 1) * np.float32(alpha)
        w = op.make_constant(np.ascontiguousarray(weights if transpose_b else weights.T), "weights")
        op.emit(FullyConnected(op.name(), x, w, bias, product, True))
    else:
        x = _scaled(op, x, alpha, "scaled")
        op.emit(MatMul(op.name(), x, op.x(1), product, transpose_a, transpose_b))
    if not fused:
        op.emit(Add(op.name(), product, _scaled(op, op.x(2), beta, "scaled_c"), op.y()))


CONVERTERS: dict[str, Converter] = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "Gemm": _gemm,
    "MatMul": _matmul,
}
