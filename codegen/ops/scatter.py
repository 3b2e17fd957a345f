"""What the scatter kernels share: the data is copied to the output, then the updates meet it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...ir import Op
from ...passes.planner.kernel import Call, Field, Kernel, Struct, Tensors
from .float_work import indexed_work
from .movement import Part, part_call
from .typed import anything, bytes_of, type_of, updated_in_place

Fields = Callable[[Any, Tensors], tuple[tuple[str, Field], ...]]


def scatter_kernel(op: type[Op], function: str, fields: Fields) -> Kernel:
    """Kernel `function(indices, updates, y, types, reduction, &p)` behind a copy of x to y."""

    def emit(instance: Any, tensors: Tensors) -> tuple[Call, ...]:
        x, indices = tensors[instance.x], tensors[instance.indices]
        copy = part_call(Part(instance.x, instance.y, 0, 0, x.size_bytes))
        pointers = (
            bytes_of("indices", instance.indices),
            bytes_of("updates", instance.updates),
            bytes_of("y", instance.y, writable=True),
        )
        kinds = (type_of(indices), type_of(x), f"PL_SCATTER_{instance.reduction.upper()}")
        block = Struct(f"{function}_params", fields(instance, tensors))
        return copy, Call(function, pointers, ("indices", "updates", "y", *kinds, "&p"), block)

    header = f"portable/{function.removeprefix('pl_')}.h"
    return Kernel(function, header, op, anything, emit, aliases=updated_in_place, work=indexed_work)
