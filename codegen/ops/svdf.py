"""Kernels of svdf."""

from __future__ import annotations

from functools import partial

import numpy as np

from ...ir.ops.svdf import Svdf
from ...ir.types import DType
from ...passes.planner.kernel import Alias, Call, Const, Kernel, Pointer, Struct, Tensors
from .packing import Fields

_NAMES = {DType.INT8: "svdf_s8", DType.INT16: "svdf_s8_state16", DType.FLOAT32: "svdf_f32"}
"""The kernel for each type of state."""


def _bias(op: Svdf, tensors: Tensors) -> np.ndarray:
    data = tensors[op.bias].data if op.bias is not None else None
    units = tensors[op.weights_feature].shape[0] // op.rank
    return np.zeros(units, np.int64) if data is None else data.reshape(-1)


def _float_fields(op: Svdf, tensors: Tensors) -> Fields:
    low, high = op.activation.bounds
    bias = Const("bias", _bias(op, tensors).astype(np.float32))
    return ("low", float(low)), ("high", float(high)), ("bias", bias)


def _integer_fields(op: Svdf, tensors: Tensors) -> Fields:
    """Requantization of both sums; zero points are merged into the biases."""
    feature, time = tensors[op.weights_feature].data, tensors[op.weights_time].data
    assert feature is not None and time is not None
    feature_requant, requant = op.requants(tensors)
    state_zero = feature_requant.zero_point
    feature_bias = -tensors[op.x].zero_point * feature.astype(np.int64).sum(axis=1)
    bias = _bias(op, tensors).astype(np.int64)
    bias = bias - state_zero * time.reshape(len(bias), -1).astype(np.int64).sum(axis=1)
    return (
        ("feature_multiplier", int(feature_requant.multiplier[0])),
        ("feature_shift", int(feature_requant.shift[0])),
        ("state_zero", state_zero),
        ("multiplier", int(requant.multiplier[0])),
        ("shift", int(requant.shift[0])),
        ("zero_point", requant.zero_point),
        ("feature_bias", Const("feature_bias", feature_bias.astype(np.int32))),
        ("bias", Const("bias", bias.astype(np.int32))),
    )


def _emit(op: Svdf, tensors: Tensors) -> tuple[Call, ...]:
    x, state, wf, wt = (tensors[n] for n in (op.x, op.state_in, op.weights_feature, op.weights_time))
    assert wf.data is not None and wt.data is not None
    fields: Fields = (
        ("in", wf.shape[1]),
        ("units", wf.shape[0] // op.rank),
        ("rank", op.rank),
        ("memory", wt.shape[1]),
        ("feature", Const("feature", wf.data.reshape(-1))),
        ("time", Const("time", wt.data.reshape(-1))),
        *(_float_fields(op, tensors) if x.dtype is DType.FLOAT32 else _integer_fields(op, tensors)),
    )
    pointers = (
        Pointer("x", op.x, x.dtype.ctype),
        Pointer("state_in", op.state_in, state.dtype.ctype),
        Pointer("y", op.y, x.dtype.ctype, writable=True),
        Pointer("state_out", op.state_out, state.dtype.ctype, writable=True),
    )
    name = f"pl_{_NAMES[state.dtype]}"
    args = ("x", "state_in", "y", "state_out", "&p")
    return (Call(name, pointers, args, Struct(f"{name}_params", fields)),)


def _aliases(op: Svdf, tensors: Tensors) -> tuple[Alias, ...]:
    """The state may be shifted in place."""
    return (Alias(op.state_in, op.state_out),)


def _work(op: Svdf, tensors: Tensors) -> dict[str, int]:
    """Products of features and of what the state keeps of them, per filter; filters are summed to units."""
    (filters, size), memory = tensors[op.weights_feature].shape, tensors[op.weights_time].shape[1]
    return {
        "calls": 1,
        "units": filters // op.rank,
        "filters": filters,
        "features": filters * size,
        "kept": filters * memory,
    }


def _accepts(op: Svdf, tensors: Tensors, state: DType) -> bool:
    return tensors[op.state_in].dtype is state


KERNELS = tuple(
    Kernel(
        f"pl_{name}",
        f"portable/{name}.h",
        Svdf,
        partial(_accepts, state=state),
        _emit,
        aliases=_aliases,
        work=_work,
    )
    for state, name in _NAMES.items()
)
