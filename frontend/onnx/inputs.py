"""Inputs of an ONNX graph as tensors of the IR, with their open dimensions fixed."""

from __future__ import annotations

from collections.abc import Mapping

import onnx

from ...errors import UnknownInput, UserError
from ...ir import Tensor
from ..tflite.naming import printable
from ..tflite.tensors import Unsupported, size_problem
from .model import input_dimensions
from .tensors import dtype_for, numpy_type


def check_wanted(source: str, names: tuple[str, ...], wanted: Mapping[str, tuple[int, ...]]) -> None:
    """Raise UserError when a shape is given for what is no input."""
    if unknown := [n for n in wanted if n not in names]:
        raise UnknownInput(
            f"{source}: no input is called {printable(unknown[0])!r}",
            unknown[0],
            accepted=", ".join(names),
            hint="write --input-shape NAME=1,3,32,32 with one of these names",
        )


def input_tensor(source: str, name: str, info: onnx.ValueInfoProto, wanted: tuple[int, ...] | None) -> Tensor:
    """The input as a tensor.

    A leading dimension that is open becomes 1; `wanted` replaces the whole shape.
    Raises UserError for other open dimensions, types that are no tensors of ours, absurd sizes.
    """
    if info.type.WhichOneof("value") != "tensor_type":
        found = info.type.WhichOneof("value") or "no type"
        raise UserError(
            f"{source}: input {name!r} cannot be compiled", rule="inputs are tensors", found=found
        )
    try:
        dtype = dtype_for(numpy_type(info.type.tensor_type.elem_type, name), name)
    except Unsupported as error:
        p = error.problems[0]
        raise UserError(
            f"{source}: input {name!r} cannot be compiled", rule=p.rule, found=p.found, hint=p.hint
        ) from None
    shape = _shape(source, name, input_dimensions(info), wanted)
    if problem := size_problem(shape):
        raise UserError(
            f"{source}: input {name!r} has an impossible shape", rule=problem, found=f"{list(shape)}"
        )
    return Tensor(name, shape, dtype)


def _shape(
    source: str, name: str, declared: list[int | str] | None, wanted: tuple[int, ...] | None
) -> tuple[int, ...]:
    if wanted is not None:
        if declared is not None and len(declared) != len(wanted):
            raise UserError(
                f"{source}: --input-shape {name} does not fit",
                rule=f"input {name!r} has {len(declared)} dimensions",
                found=f"{list(wanted)}",
                accepted=_text(declared),
            )
        return wanted
    if declared is None:
        raise UserError(
            f"{source}: input {name!r} has no shape",
            rule="shapes are static",
            hint=f"give the shape: --input-shape {name}=1,3,32,32",
        )
    shape = [1 if i == 0 and isinstance(d, str) else d for i, d in enumerate(declared)]
    if any(isinstance(d, str) for d in shape):
        example = ",".join("N" if isinstance(d, str) else str(d) for d in shape)
        raise UserError(
            f"{source}: input {name!r} has unknown dimensions",
            rule="only the leading dimension may be left open (it becomes 1)",
            found=_text(declared),
            hint=f"give the shape: --input-shape {name}={example} (such as {name}=1,3,32,32)",
        )
    return tuple(d for d in shape if isinstance(d, int))


def _text(declared: list[int | str]) -> str:
    return "[" + ", ".join(map(str, declared)) + "]"
