"""A TensorFlow Lite file as plain Python values: parsed, bounds-checked, not yet interpreted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import tflite

from ...errors import UserError
from ..flatbuffer_verifier import FlatbufferError, verify_flatbuffer
from .schema import IDENTIFIER, MODEL

MAX_RANK = 8
MAX_ELEMENTS = 1 << 26
"""Elements of one tensor: more than any microcontroller holds, and few enough for the reference on a
desktop. Sizes are computed as Python integers and checked before any allocation."""

OPERATOR_NAMES = {code: name for name, code in vars(tflite.BuiltinOperator).items() if isinstance(code, int)}
TYPE_NAMES = {code: name for name, code in vars(tflite.TensorType).items() if isinstance(code, int)}


@dataclass(frozen=True)
class RawQuant:
    """Quantization as stored; `details` is set for schemes other than the affine one."""

    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int
    details: bool


@dataclass(frozen=True, eq=False)
class RawTensor:
    """One tensor of a subgraph. `data` is a view of the constant's bytes in the file, None without one.

    shape      as stored, None when the file says nothing; may hold -1
    signature  shape with -1 for dimensions unknown at conversion, None when absent
    """

    name: str
    shape: tuple[int, ...] | None
    signature: tuple[int, ...] | None
    type_code: int
    data: np.ndarray | None
    quant: RawQuant | None
    variable: bool
    sparse: bool

    @property
    def type_name(self) -> str:
        return TYPE_NAMES.get(self.type_code, f"type {self.type_code}")


@dataclass(frozen=True, eq=False)
class RawOp:
    """One operator: indices of its operands (-1 for an absent one) and its option table."""

    code: int
    custom: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options_type: int
    options: Any
    custom_options: bytes = b""

    @property
    def code_name(self) -> str:
        """`CONV_2D`; custom operators show their own name."""
        if self.code == tflite.BuiltinOperator.CUSTOM:
            return f"CUSTOM {self.custom!r}"
        return OPERATOR_NAMES.get(self.code, f"BUILTIN_{self.code}")


@dataclass(frozen=True, eq=False)
class RawSubgraph:
    """One subgraph; every tensor index in it is in range."""

    tensors: tuple[RawTensor, ...]
    ops: tuple[RawOp, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class RawModel:
    """A whole file; `source` is the path messages name."""

    source: str
    subgraphs: tuple[RawSubgraph, ...]


def malformed(
    source: str, found: str, rule: str = "the file must be a well-formed TensorFlow Lite model"
) -> UserError:
    """The error for a file that breaks its own format, as opposed to one that asks for too much."""
    hint = "export the model again; the file may be truncated or damaged"
    return UserError(f"{source}: not a valid TensorFlow Lite model", rule=rule, found=found, hint=hint)


def parse_model(data: bytes, source: str) -> RawModel:
    """Parse a whole file. Raises UserError when it is not a well-formed TensorFlow Lite model."""
    if data[4:8] != IDENTIFIER:
        raise malformed(
            source, f"bytes 4 to 8 are {data[4:8]!r}", "a TensorFlow Lite file carries TFL3 at byte 4"
        )
    try:
        verify_flatbuffer(data, MODEL)
    except FlatbufferError as error:
        raise malformed(source, str(error)) from None
    return _Parser(data, source).model()


def _ints(array: Any) -> tuple[int, ...]:
    """A vector accessor's result as a tuple; accessors give 0 for an absent vector."""
    return () if isinstance(array, int) else tuple(int(v) for v in array)


def _text(raw: bytes | None) -> str:
    return (raw or b"").decode("utf-8", errors="replace")


class _Parser:
    """Turns the accessors of a verified file into plain values."""

    def __init__(self, data: bytes, source: str) -> None:
        self.data = data
        self.source = source
        self.root = tflite.Model.GetRootAs(data, 0)

    def model(self) -> RawModel:
        if self.root.Version() != 3:
            raise malformed(self.source, f"version {self.root.Version()}", "the schema version must be 3")
        if self.root.SubgraphsLength() == 0:
            raise malformed(self.source, "no subgraph")
        codes = [self.code(self.root.OperatorCodes(i)) for i in range(self.root.OperatorCodesLength())]
        buffers = [self.buffer(i) for i in range(self.root.BuffersLength())]
        graphs = [self.subgraph(i, codes, buffers) for i in range(self.root.SubgraphsLength())]
        return RawModel(self.source, tuple(graphs))

    @staticmethod
    def code(code: Any) -> tuple[int, str]:
        """(builtin code, custom name); codes above 126 live in a newer field than the others."""
        return max(code.BuiltinCode(), code.DeprecatedBuiltinCode()), _text(code.CustomCode())

    def buffer(self, index: int) -> np.ndarray | None:
        """Bytes of a buffer, which may lie behind the flatbuffer (models over 2 GB), or None when empty."""
        buffer = self.root.Buffers(index)
        if buffer.Offset() > 1:
            start, size = int(buffer.Offset()), int(buffer.Size())
            if start + size > len(self.data):
                raise malformed(
                    self.source, f"buffer {index} lies at byte {start} to {start + size} of {len(self.data)}"
                )
            return np.frombuffer(self.data, np.uint8, size, start) if size else None
        view = buffer.DataAsNumpy()
        return None if isinstance(view, int) or view.size == 0 else view

    def subgraph(
        self, index: int, codes: list[tuple[int, str]], buffers: list[np.ndarray | None]
    ) -> RawSubgraph:
        graph = self.root.Subgraphs(index)
        count = graph.TensorsLength()
        tensors = tuple(self.tensor(graph.Tensors(i), buffers, f"tensor {i}") for i in range(count))
        ops = tuple(self.op(graph.Operators(i), i, codes, count) for i in range(graph.OperatorsLength()))
        inputs, outputs = _ints(graph.InputsAsNumpy()), _ints(graph.OutputsAsNumpy())
        self.in_range((*inputs, *outputs), 0, count, f"subgraph {index}")
        return RawSubgraph(tensors, ops, inputs, outputs)

    def in_range(self, indices: tuple[int, ...], low: int, count: int, what: str) -> None:
        for i in indices:
            if not low <= i < count:
                raise malformed(
                    self.source, f"{what} refers to tensor {i} of {count}", "tensor references must exist"
                )

    def op(self, op: Any, index: int, codes: list[tuple[int, str]], count: int) -> RawOp:
        if op.OpcodeIndex() >= len(codes):
            raise malformed(self.source, f"operator {index} has code {op.OpcodeIndex()} of {len(codes)}")
        code, custom = codes[op.OpcodeIndex()]
        inputs, outputs = _ints(op.InputsAsNumpy()), _ints(op.OutputsAsNumpy())
        self.in_range(inputs, -1, count, f"operator {index}")
        self.in_range(outputs, 0, count, f"operator {index}")
        view = op.CustomOptionsAsNumpy()
        own = b"" if isinstance(view, int) else view.tobytes()
        return RawOp(code, custom, inputs, outputs, op.BuiltinOptionsType(), op.BuiltinOptions(), own)

    def tensor(self, t: Any, buffers: list[np.ndarray | None], what: str) -> RawTensor:
        if t.Buffer() >= max(len(buffers), 1):
            raise malformed(self.source, f"{what} refers to buffer {t.Buffer()} of {len(buffers)}")
        if t.ShapeLength() > MAX_RANK or t.ShapeSignatureLength() > MAX_RANK:
            raise malformed(
                self.source, f"{what} has {t.ShapeLength()} dimensions", f"at most {MAX_RANK} dimensions"
            )
        return RawTensor(
            name=_text(t.Name()),
            shape=None if t.ShapeIsNone() else _ints(t.ShapeAsNumpy()),
            signature=None if t.ShapeSignatureLength() == 0 else _ints(t.ShapeSignatureAsNumpy()),
            type_code=t.Type(),
            data=buffers[t.Buffer()] if buffers else None,
            quant=self.quant(t.Quantization(), what),
            variable=bool(t.IsVariable()),
            sparse=t.Sparsity() is not None,
        )

    def quant(self, quant: Any, what: str) -> RawQuant | None:
        """Affine quantization, None for none; minima and maxima without scales are calibration leftovers."""
        if quant is None or (quant.ScaleLength() == 0 and not quant.DetailsType()):
            return None
        scale = () if quant.ScaleLength() == 0 else tuple(float(s) for s in quant.ScaleAsNumpy())
        zero = _ints(quant.ZeroPointAsNumpy()) or (0,) * len(scale)
        if len(zero) == 1:
            zero = zero * len(scale)
        if len(zero) != len(scale):
            raise malformed(self.source, f"{what} has {len(scale)} scales and {len(zero)} zero points")
        return RawQuant(scale, zero, quant.QuantizedDimension(), bool(quant.DetailsType()))
