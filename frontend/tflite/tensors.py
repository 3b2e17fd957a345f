"""Tensors of a file as IR tensors: types, quantization, shapes, constants."""

from __future__ import annotations

import math
from dataclasses import replace
from math import prod

import numpy as np
from tflite import TensorType

from ...errors import UserError
from ...ir import DType, Problem, Quant, Tensor
from .model import MAX_ELEMENTS, RawTensor, malformed
from .naming import printable

DTYPES = {
    TensorType.FLOAT32: DType.FLOAT32,
    TensorType.FLOAT16: DType.FLOAT16,
    TensorType.INT64: DType.INT64,
    TensorType.INT32: DType.INT32,
    TensorType.INT16: DType.INT16,
    TensorType.INT8: DType.INT8,
    TensorType.UINT8: DType.UINT8,
    TensorType.BOOL: DType.BOOL,
}
_QUANTIZED = {DType.INT8, DType.UINT8, DType.INT16, DType.INT32, DType.INT64}


class Unsupported(Exception):
    """An operator asks for something that cannot be compiled; each problem becomes a Violation."""

    def __init__(self, rule: str, found: str, hint: str = "") -> None:
        super().__init__(rule)
        self.problems = [Problem(rule, found, hint)]

    @classmethod
    def by_rules(cls, problems: list[Problem]) -> Unsupported:
        """The rules of an IR operator are not met."""
        error = cls(problems[0].rule, problems[0].found)
        error.problems = problems
        return error


def dtype_of(raw: RawTensor) -> DType:
    """Element type. Raises Unsupported for strings, complex numbers, 4-bit types and sparse tensors."""
    if raw.type_code not in DTYPES:
        accepted = ", ".join(d.value for d in DTYPES.values())
        raise Unsupported(f"element types are {accepted}", f"{printable(raw.name)!r} is {raw.type_name}")
    if raw.sparse:
        raise Unsupported(
            "tensors must be dense", f"{printable(raw.name)!r} is sparse", "densify before export"
        )
    return DTYPES[raw.type_code]


def quant_of(raw: RawTensor, dtype: DType) -> Quant | None:
    """Quantization of an integer tensor, None for none (always none for float and bool).

    Raises Unsupported for schemes other than one scale per tensor, or per index of one dimension of
    a constant.
    """
    if raw.quant is None or dtype not in _QUANTIZED:
        return None
    name, count = printable(raw.name), len(raw.quant.scale)
    if raw.quant.details:
        raise Unsupported("quantization must be affine", f"{name!r} has a custom or blockwise scheme")
    if not all(math.isfinite(s) and s > 0 for s in raw.quant.scale):
        if dtype in (DType.INT32, DType.INT64):
            return None  # biases of channels without weights; their scale is never used
        raise Unsupported("scales must be positive and finite", f"{name!r} has {min(raw.quant.scale)}")
    low, high = dtype.integer_range
    for zero in raw.quant.zero_point:
        if not low <= zero <= high:
            raise Unsupported(f"zero points of {dtype.value} lie in [{low}, {high}]", f"{name!r} has {zero}")
    if count == 1:
        return Quant(raw.quant.scale, raw.quant.zero_point)
    axis, shape = raw.quant.axis, raw.shape or ()
    if not 0 <= axis < len(shape) or shape[axis] != count:
        raise Unsupported(
            "there is one scale, or one per index of a dimension",
            f"{name!r} {list(shape)} has {count} scales along dimension {axis}",
        )
    if raw.data is None:
        raise Unsupported("activations have one scale", f"{name!r} has {count}")
    return Quant(raw.quant.scale, raw.quant.zero_point, axis)


def as_int8(tensor: Tensor) -> Tensor:
    """A uint8 tensor shifted exactly to int8, as a pass will do later; other tensors as they are."""
    if tensor.dtype is not DType.UINT8:
        return tensor
    quant = tensor.quant and replace(tensor.quant, zero_point=tuple(z - 128 for z in tensor.quant.zero_point))
    data = None if tensor.data is None else (tensor.data ^ np.uint8(128)).view(np.int8)
    return replace(tensor, dtype=DType.INT8, quant=quant, data=data)


def size_problem(shape: tuple[int, ...]) -> str:
    """Why no tensor can have that shape; empty when one can."""
    if any(d < 1 for d in shape):
        return "dimensions must be 1 or more"
    if prod(shape) > MAX_ELEMENTS:
        return f"a tensor has at most {MAX_ELEMENTS} elements"
    return ""


def input_shape(source: str, name: str, raw: RawTensor, wanted: tuple[int, ...] | None) -> tuple[int, ...]:
    """Shape of a graph input: the wanted one, or the file's with a leading -1 made 1.

    Raises UserError when another dimension is unknown, when the rank differs, or for absurd sizes.
    """
    declared = raw.signature or raw.shape
    if declared is None:
        raise malformed(source, f"input {name!r} has no shape")
    if wanted is None:
        shape = (1, *declared[1:]) if declared and declared[0] == -1 else declared
        if -1 in shape:
            example = ",".join("N" if d == -1 else str(d) for d in shape)
            raise UserError(
                f"{source}: input {name!r} has unknown dimensions",
                rule="only the leading dimension may be left open (it becomes 1)",
                found=f"{list(declared)}",
                hint=f"give the shape: --input-shape {name}={example} (such as {name}=1,49,10,1)",
            )
    else:
        shape = wanted
        if len(shape) != len(declared):
            raise UserError(
                f"{source}: --input-shape {name} does not fit",
                rule=f"input {name!r} has {len(declared)} dimensions",
                found=f"{list(shape)}",
                accepted=f"{list(declared)}",
            )
    if problem := size_problem(shape):
        raise UserError(
            f"{source}: input {name!r} has an impossible shape", rule=problem, found=f"{list(shape)}"
        )
    return shape


def constant_data(source: str, raw: RawTensor, dtype: DType) -> np.ndarray:
    """The constant in `raw`: a read-only view of the file. Raises UserError for a wrong shape or size."""
    assert raw.data is not None
    shape, name = raw.shape or (), printable(raw.name)
    if problem := size_problem(shape):
        raise malformed(source, f"constant {name!r} is {list(shape)}", problem)
    needed = prod(shape) * dtype.itemsize
    if raw.data.size != needed:
        raise malformed(
            source, f"constant {name!r} {dtype.value}{list(shape)} has {raw.data.size} of {needed} bytes"
        )
    if dtype is DType.BOOL:
        return (raw.data != 0).reshape(shape)
    return raw.data.view(dtype.numpy).reshape(shape)
