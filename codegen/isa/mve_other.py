"""Helium kernels of pooling, mean and lookup."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from ...ir import DType
from ...ir.ops.average_pool2d import AveragePool2D
from ...ir.ops.lookup import Lookup
from ...ir.ops.max_pool2d import MaxPool2D
from ...ir.ops.mean import Mean
from ...passes.planner.kernel import Call, Kernel, Pointer, Struct, Tensors
from ..ops.average_pool2d import KERNELS as AVERAGE
from ..ops.elementwise import has_types, in_place
from ..ops.lookup import KERNELS as LOOKUP
from ..ops.max_pool2d import KERNELS as MAXIMUM
from .mve_packing import FEATURES, ceil_div

Pool = AveragePool2D | MaxPool2D

_LONGEST = 255
"""Elements of int8 that int16 can add up."""

_int8 = has_types(("x", "y"), (DType.INT8, DType.INT8))


def _renamed(portable: Kernel, op: Pool | Lookup, tensors: Tensors) -> tuple[Call, ...]:
    """The portable kernel's calls, by the name of the variant, which has the same parameters."""
    return tuple(
        replace(
            call,
            function=f"{call.function}__mve",
            struct=call.struct and Struct(f"{portable.name}__mve_params", call.struct.fields),
        )
        for call in portable.emit(op, tensors)
    )


def _pool_work(op: Pool, tensors: Tensors) -> dict[str, int]:
    _, out_h, out_w, channels = tensors[op.y].shape
    lanes = 16 if isinstance(op, MaxPool2D) else 8
    groups = out_h * out_w * ceil_div(channels, lanes)
    # the whole input is one long walk of average pooling
    joined = isinstance(op, AveragePool2D) and op.window.kernel == tensors[op.x].shape[1:3]
    return {
        "calls": 1,
        "rows": out_h,
        "groups": groups,
        "walks": groups * (1 if joined else op.window.kernel[0]),
        "vectors": groups * op.window.kernel[0] * op.window.kernel[1],
        "outputs": out_h * out_w * channels,
    }


def _pool_kernel(portable: Kernel) -> Kernel:
    return Kernel(
        f"{portable.name}__mve",
        f"mve/{portable.name.removeprefix('pl_')}__mve.h",
        portable.op,
        _int8,
        lambda op, tensors: _renamed(portable, op, tensors),
        features=FEATURES,
        work=_pool_work,
    )


def _accepts_mean(op: Mean, tensors: Tensors) -> bool:
    """All dimensions but the last are reduced."""
    rank = len(tensors[op.x].shape)
    return _int8(op, tensors) and sorted(op.axes) == list(range(rank - 1))


def _emit_mean(op: Mean, tensors: Tensors) -> tuple[Call, ...]:
    x, y = tensors[op.x], tensors[op.y]
    count = prod(x.shape[:-1])
    multiplier, shift = op.requant(tensors)
    fields = (
        ("n", count),
        ("channels", x.shape[-1]),
        ("offset", -x.zero_point * count),
        ("multiplier", multiplier),
        ("shift", shift),
        ("zero_y", y.zero_point),
    )
    pointers = (Pointer("x", op.x, "int8_t"), Pointer("y", op.y, "int8_t", writable=True))
    return (Call("pl_mean_s8__mve", pointers, ("x", "y", "&p"), Struct("pl_mean_s8__mve_params", fields)),)


def _mean_work(op: Mean, tensors: Tensors) -> dict[str, int]:
    shape = tensors[op.x].shape
    groups = ceil_div(shape[-1], 8)
    count = prod(shape[:-1])
    walks = groups * ceil_div(count, _LONGEST)
    return {"calls": 1, "groups": groups, "walks": walks, "vectors": groups * count, "outputs": shape[-1]}


def _lookup_work(op: Lookup, tensors: Tensors) -> dict[str, int]:
    return {"calls": 1, "vectors": ceil_div(tensors[op.y].elements, 16)}


def _int8_kernel(kernels: tuple[Kernel, ...]) -> Kernel:
    return next(k for k in kernels if k.name.endswith("_s8"))


KERNELS = (
    _pool_kernel(_int8_kernel(AVERAGE)),
    _pool_kernel(_int8_kernel(MAXIMUM)),
    Kernel(
        "pl_mean_s8__mve",
        "mve/mean_s8__mve.h",
        Mean,
        _accepts_mean,
        _emit_mean,
        features=FEATURES,
        work=_mean_work,
    ),
    Kernel(
        "pl_lookup__mve",
        "mve/lookup__mve.h",
        Lookup,
        LOOKUP[0].accepts,
        lambda op, tensors: _renamed(LOOKUP[0], op, tensors),
        aliases=in_place("x"),
        features=FEATURES,
        work=_lookup_work,
    ),
)
