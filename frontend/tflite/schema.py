"""The parts of the TensorFlow Lite schema that are read, for the flatbuffer verifier.

Slot numbers are those of `schema.fbs` (field order within a table); a slot that is not listed here
must not be read. A test compares the numbers with the `tflite` package.
"""

from __future__ import annotations

from collections.abc import Mapping

from tflite import BuiltinOptions

from ..flatbuffer_verifier import Scalar, Slot, Table, Tables, Text, Union, Vector

IDENTIFIER = b"TFL3"
"""Bytes 4 to 8 of every TensorFlow Lite file."""

_BYTE, _INT, _LONG = Scalar(1), Scalar(4), Scalar(8)


def _scalars(sizes: str) -> dict[int, Slot]:
    """Slots 0, 1, ... that hold numbers of these sizes in bytes: `"441"` is two ints and a byte."""
    return {slot: Scalar(int(size)) for slot, size in enumerate(sizes)}


_OPTION_SLOTS: Mapping[str, Mapping[int, Slot]] = {
    "AddOptions": _scalars("11"),
    "AssignVariableOptions": {},
    "BatchMatMulOptions": _scalars("111"),
    "CallOnceOptions": _scalars("4"),
    "CastOptions": _scalars("11"),
    "ConcatenationOptions": _scalars("41"),
    "Conv2DOptions": _scalars("1441441"),
    "DepthwiseConv2DOptions": _scalars("1444144"),
    "FullyConnectedOptions": _scalars("11111"),
    "GatherOptions": _scalars("44"),
    "LeakyReluOptions": _scalars("4"),
    "MulOptions": _scalars("1"),
    "PackOptions": _scalars("44"),
    "Pool2DOptions": _scalars("144441"),
    "ReducerOptions": _scalars("1"),
    "ReshapeOptions": {0: Vector(4)},
    "ResizeBilinearOptions": {2: _BYTE, 3: _BYTE},
    "ResizeNearestNeighborOptions": _scalars("11"),
    "SVDFOptions": _scalars("411"),
    "ShapeOptions": _scalars("1"),
    "SoftmaxOptions": _scalars("4"),
    "SplitOptions": _scalars("4"),
    "SplitVOptions": _scalars("4"),
    "SqueezeOptions": {0: Vector(4)},
    "StridedSliceOptions": _scalars("444441"),
    "SubOptions": _scalars("11"),
    "TransposeConvOptions": _scalars("14411"),
    "VarHandleOptions": {0: Text(), 1: Text()},
}

OPTIONS: Mapping[int, Table] = {
    getattr(BuiltinOptions, name): Table(name, slots) for name, slots in _OPTION_SLOTS.items()
}
"""Option tables by their number in the BuiltinOptions union."""

QUANTIZATION = Table(
    "QuantizationParameters",
    {0: Vector(4), 1: Vector(4), 2: Vector(4), 3: Vector(8), 4: _BYTE, 6: _INT},
)
TENSOR = Table(
    "Tensor",
    {
        0: Vector(4), 1: _BYTE, 2: _INT, 3: Text(), 4: QUANTIZATION, 5: _BYTE,
        6: Table("SparsityParameters"), 7: Vector(4), 8: _BYTE,
    },
)  # fmt: skip
OPERATOR = Table(
    "Operator", {0: _INT, 1: Vector(4), 2: Vector(4), 3: _BYTE, 4: Union(3, OPTIONS), 5: Vector(1)}
)
OPERATOR_CODE = Table("OperatorCode", {0: _BYTE, 1: Text(), 2: _INT, 3: _INT})
SUBGRAPH = Table("SubGraph", {0: Tables(TENSOR), 1: Vector(4), 2: Vector(4), 3: Tables(OPERATOR), 4: Text()})
BUFFER = Table("Buffer", {0: Vector(1), 1: _LONG, 2: _LONG})
MODEL = Table("Model", {0: _INT, 1: Tables(OPERATOR_CODE), 2: Tables(SUBGRAPH), 3: Text(), 4: Tables(BUFFER)})
