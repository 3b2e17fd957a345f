"""What the kernels of binary int8 operators share: their call, and how often their loops run."""

from __future__ import annotations

from collections.abc import Mapping

from ...ir.ops.add import Add
from ...ir.ops.mul import Mul
from ...ir.ops.sub import Sub
from ...ir.types import DType
from ...passes.planner.kernel import Call, Field, Pointer, Struct, Tensors
from ..ops.elementwise import broadcast_fields, has_types

Binary = Add | Sub | Mul

is_int8 = has_types(("a", "b", "y"), (DType.INT8,) * 3)


def broadcast_call(
    name: str, op: Binary, tensors: Tensors, fields: tuple[tuple[str, Field], ...]
) -> tuple[Call, ...]:
    """A call of kernel `name`, which walks its operands by pl_broadcast and has `fields` behind those."""
    a, b, y = (tensors[n] for n in (op.a, op.b, op.y))
    places = (
        Pointer("a", a.name, "int8_t"),
        Pointer("b", b.name, "int8_t"),
        Pointer("y", y.name, "int8_t", writable=True),
    )
    block = (*broadcast_fields(a.shape, b.shape, y.shape), *fields)
    return (Call(name, places, ("a", "b", "y", "&p"), Struct(f"{name}_params", block)),)


def broadcast_work(op: Binary, tensors: Tensors) -> Mapping[str, int]:
    """Runs, dimensions walked between them, and elements of runs by four and one by one."""
    walk = dict(broadcast_fields(*(tensors[n].shape for n in (op.a, op.b, op.y))))
    runs, n, dims = (walk[name] for name in ("runs", "n", "outer_dims"))
    assert isinstance(runs, int) and isinstance(n, int) and isinstance(dims, int)
    fours, rest = divmod(n, 4)
    return {"calls": 1, "runs": runs, "dims": runs * dims, "fours": runs * fours, "rest": runs * rest}
