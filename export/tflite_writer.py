"""Building blocks of a .tflite file and their serialisation; same content gives the same bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
import tflite

from ..ir import DType, Quant, Tensor

TYPE_CODES = {d: getattr(tflite.TensorType, d.value.upper()) for d in DType}
_BUFFER_ALIGNMENT = 16
"""TensorFlow Lite's schema aligns constants to 16 bytes, and interpreters read them in place."""


@dataclass(frozen=True, eq=False)
class OutTensor:
    """A tensor to be written."""

    name: str
    shape: tuple[int, ...]
    type_code: int
    quant: Quant | None = None
    data: np.ndarray | None = None
    variable: bool = False


@dataclass(frozen=True)
class OutOp:
    """An operator to be written; -1 is an absent operand, options are (table, field: value).

    custom   (name, options) of a custom operator, whose code is CUSTOM
    """

    code: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    version: int = 1
    options: tuple[str, Mapping[str, Any]] | None = None
    custom: tuple[str, bytes] | None = None

    @property
    def entry(self) -> tuple[int, int, str]:
        """What tells operator codes of a file apart: code, version, name of a custom one."""
        return self.code, self.version, "" if self.custom is None else self.custom[0]


@dataclass
class OutSubgraph:
    """A subgraph to be written."""

    tensors: list[OutTensor] = field(default_factory=list)
    ops: list[OutOp] = field(default_factory=list)
    inputs: tuple[int, ...] = ()
    outputs: tuple[int, ...] = ()

    def add(self, tensor: OutTensor) -> int:
        """Index of a new tensor."""
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def add_value(self, t: Tensor) -> int:
        return self.add(OutTensor(t.name, t.shape, TYPE_CODES[t.dtype], t.quant, t.data))

    def add_ints(self, name: str, values: tuple[int, ...] | int) -> int:
        """A constant int32 vector, or scalar."""
        data = np.array(values, np.int32)
        return self.add(OutTensor(name, data.shape, tflite.TensorType.INT32, None, data))


def serialise(subgraphs: list[OutSubgraph], description: str) -> bytes:
    """The bytes of a .tflite file."""
    return _Serialiser(subgraphs).model(description)


class _Serialiser:
    """Writes depth first, as flatbuffers are built: children before parents."""

    def __init__(self, subgraphs: list[OutSubgraph]) -> None:
        self.b: Any = flatbuffers.Builder(1024)
        self.subgraphs = subgraphs
        self.codes = sorted({op.entry for g in subgraphs for op in g.ops})
        self.buffers: list[int] = []

    def model(self, description: str) -> bytes:
        self.buffers.append(self.buffer(None))
        subgraphs = self.offsets([self.subgraph(g) for g in self.subgraphs])
        codes = self.offsets([self.code(*c) for c in self.codes])
        text = self.b.CreateString(description)
        buffers = self.offsets(self.buffers)
        root = self.table(
            "Model", Version=3, OperatorCodes=codes, Subgraphs=subgraphs, Description=text, Buffers=buffers
        )
        self.b.Finish(root, b"TFL3")
        return bytes(self.b.Output())

    def table(self, table: str, **fields: Any) -> int:
        """A table from values and offsets made before; fields in the order given."""
        getattr(tflite, f"{table}Start")(self.b)
        for name, value in fields.items():
            getattr(tflite, f"{table}Add{name}")(self.b, value)
        return int(getattr(tflite, f"{table}End")(self.b))

    def offsets(self, offsets: list[int]) -> int:
        self.b.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            self.b.PrependUOffsetTRelative(offset)
        return int(self.b.EndVector())

    def numbers(self, values: Any, dtype: type) -> int:
        return int(self.b.CreateNumpyVector(np.array(values, dtype)))

    def buffer(self, data: np.ndarray | None) -> int:
        if data is None:
            return self.table("Buffer")
        raw = np.ascontiguousarray(data).tobytes()
        self.b.StartVector(1, len(raw), _BUFFER_ALIGNMENT)
        self.b.head -= len(raw)
        self.b.Bytes[self.b.head : self.b.head + len(raw)] = raw
        return self.table("Buffer", Data=self.b.EndVector())

    def code(self, code: int, version: int, custom: str) -> int:
        fields: dict[str, Any] = {"CustomCode": self.b.CreateString(custom)} if custom else {}
        return self.table(
            "OperatorCode", DeprecatedBuiltinCode=min(code, 127), **fields, Version=version, BuiltinCode=code
        )

    def subgraph(self, graph: OutSubgraph) -> int:
        tensors = self.offsets([self.tensor(t) for t in graph.tensors])
        ops = self.offsets([self.op(o) for o in graph.ops])
        inputs, outputs = self.numbers(graph.inputs, np.int32), self.numbers(graph.outputs, np.int32)
        return self.table("SubGraph", Tensors=tensors, Inputs=inputs, Outputs=outputs, Operators=ops)

    def tensor(self, t: OutTensor) -> int:
        buffer = 0
        if t.data is not None:
            buffer = len(self.buffers)
            self.buffers.append(self.buffer(t.data))
        fields: dict[str, Any] = {
            "Shape": self.numbers(t.shape, np.int32),
            "Type": t.type_code,
            "Buffer": buffer,
        }
        fields["Name"] = self.b.CreateString(t.name)
        if t.quant is not None:
            fields["Quantization"] = self.quant(t.quant)
        return self.table("Tensor", **fields, IsVariable=t.variable)

    def quant(self, quant: Quant) -> int:
        scale, zero = self.numbers(quant.scale, np.float32), self.numbers(quant.zero_point, np.int64)
        return self.table(
            "QuantizationParameters", Scale=scale, ZeroPoint=zero, QuantizedDimension=quant.axis or 0
        )

    def op(self, op: OutOp) -> int:
        inputs, outputs = self.numbers(op.inputs, np.int32), self.numbers(op.outputs, np.int32)
        fields: dict[str, Any] = {"Inputs": inputs, "Outputs": outputs}
        if op.options is not None:
            name, values = op.options
            fields["BuiltinOptions"] = self.table(name, **{k: self.option(v) for k, v in values.items()})
            fields["BuiltinOptionsType"] = getattr(tflite.BuiltinOptions, name)
        if op.custom is not None:
            fields["CustomOptions"] = self.numbers(np.frombuffer(op.custom[1], np.uint8), np.uint8)
        index = self.codes.index(op.entry)
        return self.table("Operator", OpcodeIndex=index, **fields)

    def option(self, value: Any) -> Any:
        """An inline number as it is; strings and vectors as the offset of a copy."""
        if isinstance(value, str):
            return self.b.CreateString(value)
        return self.numbers(value, np.int32) if isinstance(value, tuple) else value
