"""What the descriptors of weighted operators share: how kernels want weights and parameters in flash."""

from __future__ import annotations

import numpy as np

from ...ir.fixed_point import Requant, reduced_multiplier
from ...ir.float_requant import FloatRequant
from ...ir.rounding import ONNX_ROUNDINGS, TFLITE_ROUNDINGS, Rounding
from ...ir.types import DType, Tensor
from ...ir.weighted import ACCUMULATOR_LIMIT, WeightedOp, centred_weights, weight_zero_point
from ...ir.window import Window
from ...passes.planner.kernel import Call, Const, Field, Fill, Pointer, RowLoop, Struct, Tensors

Fields = tuple[tuple[str, Field], ...]


def has_type(op: WeightedOp, tensors: Tensors, dtype: DType) -> bool:
    """Activations of `dtype` and weights that kernels can use as they are stored."""
    return tensors[op.x].dtype is dtype and weight_zero_point(tensors[op.weights]) == 0


def is_widened(op: WeightedOp, tensors: Tensors) -> bool:
    """int8 activations and weights with a zero point: stored as int16 with it subtracted."""
    return tensors[op.x].dtype is DType.INT8 and weight_zero_point(tensors[op.weights]) != 0


def variants(dtype: DType) -> tuple[tuple[str, frozenset[Rounding]], ...]:
    """(suffix of the name, roundings) of the kernels there are for activations of `dtype`."""
    tflite, onnx = ("", TFLITE_ROUNDINGS), ("_onnx", ONNX_ROUNDINGS)
    return (tflite, onnx) if dtype is DType.INT8 else (tflite,)


def variant(op: WeightedOp) -> str:
    """Suffix of the kernels for the op's rounding; parameters are the same."""
    return "_onnx" if op.rounding.onnx else ""


def weights_const(op: WeightedOp, tensors: Tensors) -> Const:
    """The weights as they are in the model."""
    data = tensors[op.weights].data
    assert data is not None
    return Const("weights", data.reshape(-1))


def row_loop(x: Tensor, y: Tensor, window: Window) -> RowLoop:
    """One call per output row of a spatial op on [1,H,W,C], padded rows (as wide as the window
    at least) holding the zero point."""
    _, height, width, channels = x.shape
    _, out_height, out_width, out_channels = y.shape
    pad_width = max(width, window.kernel[1], *window.padding[1])
    return RowLoop(
        height=height,
        pitch=width * channels,
        taps=window.kernel[0],
        stride=window.stride[0],
        dilation=window.dilation[0],
        pad_top=window.padding[0][0],
        out_rows=out_height,
        out_pitch=out_width * out_channels,
        pad=Fill(x.zero_point, pad_width * channels, x.dtype.value) if window.padded else None,
    )


def window_fields(window: Window) -> Fields:
    """The geometry a row kernel needs; rows are the caller's business."""
    return (
        ("kernel_h", window.kernel[0]),
        ("kernel_w", window.kernel[1]),
        ("stride_w", window.stride[1]),
        ("dilation_w", window.dilation[1]),
        ("pad_left", window.padding[1][0]),
    )


def channel_fields(op: WeightedOp, tensors: Tensors, merge_zero_point: bool = True) -> Fields:
    """bias, clamp and requantization of a weighted op, in the form of its type's kernels.

    int8: int32 bias, from which x's zero point * sum(weights) is subtracted with `merge_zero_point`, so
    that kernels multiply raw activations; 31-bit multipliers and right shifts. int16: int64 bias, 15-bit
    multipliers and right shifts by 15 more. float32: the bias.
    """
    x, weights = tensors[op.x], tensors[op.weights]
    bias = tensors[op.bias].data if op.bias is not None else None
    if x.dtype is DType.FLOAT32:
        low, high = op.fused.bounds
        values = np.zeros(weights.shape[op.CHANNEL_AXIS]) if bias is None else bias.reshape(-1)
        return (
            ("low", float(low)),
            ("high", float(high)),
            ("bias", Const("bias", values.astype(np.float32))),
        )
    base = np.zeros(weights.shape[op.CHANNEL_AXIS], np.int64)
    if bias is not None:
        base = bias.reshape(-1).astype(np.int64)
    if op.rounding.onnx:
        return _float_fields(op, tensors, base, merge_zero_point)
    requant = op.requant(tensors)
    if x.dtype is DType.INT16:
        return (
            ("channels.low", requant.low),
            ("channels.high", requant.high),
            ("channels.bias", Const("bias", base)),
            (
                "channels.multiplier",
                Const("multiplier", reduced_multiplier(requant.multiplier).astype(np.int16)),
            ),
            ("channels.shift", Const("shift", (15 - requant.shift).astype(np.int8))),
        )
    base, requant = _small_constants(base, op.weight_sums(tensors) == 0, requant)
    return (
        ("channels.zero_point", requant.zero_point),
        ("channels.low", requant.low),
        ("channels.high", requant.high),
        ("channels.bias", Const("bias", _merged(op, tensors, base, merge_zero_point))),
        ("channels.multiplier", Const("multiplier", requant.multiplier)),
        ("channels.right_only", int((requant.shift < 0).all())),
        ("channels.shift", Const("shift", (-requant.shift).astype(np.int8))),
    )


def _merged(op: WeightedOp, tensors: Tensors, bias: np.ndarray, merge_zero_point: bool) -> np.ndarray:
    """int32 biases as kernels want them."""
    if merge_zero_point:
        centred = np.moveaxis(centred_weights(tensors[op.weights]), op.CHANNEL_AXIS, 0)
        sums = centred.reshape(len(bias), -1).astype(np.int64).sum(axis=1)
        bias = bias - tensors[op.x].zero_point * sums
    return bias.astype(np.int32)


def _float_fields(op: WeightedOp, tensors: Tensors, bias: np.ndarray, merge_zero_point: bool) -> Fields:
    """`channel_fields` under an ONNX rounding: float32 factors by their bits.

    As in `_small_constants`, channels without weights may have huge biases: they hold their value.
    """
    requant: FloatRequant = op.float_requant(tensors)
    huge = (op.weight_sums(tensors) == 0) & (np.abs(bias) >= ACCUMULATOR_LIMIT)
    bias = np.where(huge, requant.apply(bias) - requant.zero_point, bias)
    scale = np.where(huge, np.float32(1.0), requant.scale).astype(np.float32)
    return (
        ("channels.zero_point", requant.zero_point),
        ("channels.low", requant.low),
        ("channels.high", requant.high),
        ("channels.bias", Const("bias", _merged(op, tensors, bias, merge_zero_point))),
        ("channels.multiplier", Const("multiplier", scale.view(np.int32))),
    )


def _small_constants(bias: np.ndarray, constant: np.ndarray, requant: Requant) -> tuple[np.ndarray, Requant]:
    """The same outputs with biases that kernels can take.

    A channel whose weights are all zero always gives requantize(bias). Exporters leave huge biases in
    such channels, beyond what an accumulator may hold: there, value * 2**9 and the scale 2**-9 give the
    same value.
    """
    huge = constant & (np.abs(bias) * 2.0 ** np.maximum(requant.shift, 0) >= ACCUMULATOR_LIMIT)
    if not huge.any():
        return bias, requant
    values = requant.apply(bias) - requant.zero_point
    multiplier = np.where(huge, 1 << 30, requant.multiplier).astype(np.int32)
    shift = np.where(huge, -8, requant.shift).astype(np.int32)
    small = Requant(multiplier, shift, requant.zero_point, requant.low, requant.high)
    return np.where(huge, values << 9, bias), small


def pointers(op: WeightedOp, tensors: Tensors) -> tuple[Pointer, ...]:
    """Pointers to x and y."""
    ctype = tensors[op.x].dtype.ctype
    return Pointer("x", op.x, ctype), Pointer("y", op.y, ctype, writable=True)


def emit_pointwise(op: WeightedOp, tensors: Tensors) -> tuple[Call, ...]:
    """A call of pl_pointwise_<type>: 1x1 convolution or fully-connected over a run of pixels."""
    x, weights, y = tensors[op.x], tensors[op.weights], tensors[op.y]
    fields: Fields = (
        ("in_c", weights.shape[-1]),
        ("out_c", weights.shape[0]),
        ("weights", weights_const(op, tensors)),
        *channel_fields(op, tensors),
    )
    name = f"pl_pointwise_{x.dtype.suffix}"
    args = ("x", "y", y.elements // weights.shape[0], "&p")
    return (Call(name + variant(op), pointers(op, tensors), args, Struct(f"{name}_params", fields)),)


def emit_conv2d(op: WeightedOp, tensors: Tensors, window: Window, group_c: int) -> tuple[Call, ...]:
    """A call of pl_conv2d_<type>; group_c: input channels per group (depthwise: 1)."""
    x, weights, y = tensors[op.x], tensors[op.weights], tensors[op.y]
    assert weights.data is not None
    rows = row_loop(x, y, window)
    pad: Fields = (("pad", rows.pad or "NULL"),) if x.dtype is DType.INT8 else ()
    fields: Fields = (
        ("in_w", x.shape[2]),
        ("in_c", x.shape[3]),
        ("group_c", group_c),
        ("out_w", y.shape[2]),
        ("out_c", y.shape[3]),
        *window_fields(window),
        *pad,
        ("weights", Const("weights", np.moveaxis(weights.data, op.CHANNEL_AXIS, 0).reshape(-1))),
        *channel_fields(op, tensors),
    )
    name = f"pl_conv2d_{x.dtype.suffix}"
    struct = Struct(f"{name}_params", fields)
    return (Call(name + variant(op), pointers(op, tensors), ("rows", "y", "&p"), struct, rows),)


def emit_widened(op: WeightedOp, tensors: Tensors, window: Window, groups: int) -> tuple[Call, ...]:
    """A call of pl_conv2d_s8w16, the one kernel for weights with a zero point.

    Depthwise is the case of as many groups as channels; fully-connected a 1x1 convolution of one row.
    """
    x, y = tensors[op.x], tensors[op.y]
    outputs = tensors[op.weights].shape[op.CHANNEL_AXIS]
    if len(tensors[op.weights].shape) == 2:
        pixels = y.elements // outputs
        x = Tensor(x.name, (1, 1, pixels, x.elements // pixels), x.dtype, x.quant)
        y = Tensor(y.name, (1, 1, pixels, outputs), y.dtype, y.quant)
    weights = np.moveaxis(centred_weights(tensors[op.weights]), op.CHANNEL_AXIS, 0)
    fields: Fields = (
        ("in_w", x.shape[2]),
        ("in_c", x.shape[3]),
        ("group_c", x.shape[3] // groups),
        ("group_out", outputs // groups),
        ("out_w", y.shape[2]),
        ("out_c", outputs),
        *window_fields(window),
        ("x_zero", x.zero_point),
        ("weights", Const("weights", np.ascontiguousarray(weights.reshape(-1)))),
        *channel_fields(op, tensors),
    )
    struct = Struct("pl_conv2d_s8w16_params", fields)
    args = ("rows", "y", "&p")
    name = "pl_conv2d_s8w16" + variant(op)
    return (Call(name, pointers(op, tensors), args, struct, row_loop(x, y, window)),)
