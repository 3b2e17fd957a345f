"""Descriptors of recurrent layers: operands by their fields, absent ones as NULL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...ir.recurrent import RecurrentOp
from ...passes.planner.kernel import SCRATCH, Call, Const, Field, Kernel, Pointer, Struct, Tensors
from .float_work import recurrent_work

Extra = Callable[[Any], tuple[tuple[str, Field], ...]]


def _layer_fields(op: RecurrentOp, tensors: Tensors) -> tuple[tuple[str, Field], ...]:
    steps, batch, inputs = tensors[op.x].shape
    codes = np.array([f.code for f in op.functions], np.int32)
    parameters = np.array([(f.alpha, f.beta) for f in op.functions], np.float32).reshape(-1)
    fields: dict[str, Field] = {
        "steps": steps,
        "batch": batch,
        "inputs": inputs,
        "directions": op.directions,
        "hidden": op.hidden(tensors),
        "reverse": int(op.direction == "reverse"),
        "clip": float(op.clip),
        "codes": Const("codes", codes),
        "parameters": Const("parameters", parameters),
    }
    return tuple((f"layer.{name}", value) for name, value in fields.items())


def recurrent_kernels(
    kind: type[RecurrentOp], scratch: int, extra: Extra = lambda op: ()
) -> tuple[Kernel, ...]:
    """The kernel of a layer, which needs `scratch` floats per unit; extra: fields behind the layer's."""
    name = f"pl_{kind.kind()}_f32"

    def emit(op: Any, tensors: Tensors) -> tuple[Call, ...]:
        pointers, args = [], []
        for field in (*kind.INPUTS, *kind.OUTPUTS):
            value = getattr(op, field)
            if value is not None:
                ctype = tensors[value].dtype.ctype
                pointers.append(Pointer(field, value, ctype, writable=field in kind.OUTPUTS))
            args.append("NULL" if value is None else field)
        pointers.append(Pointer("scratch", SCRATCH, "float", writable=True))
        struct = Struct(f"{name}_params", (*_layer_fields(op, tensors), *extra(op)))
        return (Call(name, tuple(pointers), (*args, "scratch", "&p"), struct),)

    def scratch_bytes(op: Any, tensors: Tensors) -> int:
        return scratch * op.hidden(tensors) * 4

    def accepts(op: Any, tensors: Tensors) -> bool:
        return True

    header = f"portable/{kind.kind()}_f32.h"
    return (Kernel(name, header, kind, accepts, emit, scratch_bytes=scratch_bytes, work=recurrent_work),)
