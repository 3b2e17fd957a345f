"""One ONNX node while it is imported: its operands, its attributes, and where operators go."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import AttributeProto, NodeProto

from ...ir import DType, Op, Tensor
from ..tflite.builder import axis_of
from ..tflite.naming import printable
from ..tflite.tensors import Unsupported, size_problem
from .model import domain_of
from .tensors import dtype_for

if TYPE_CHECKING:
    from .builder import GraphBuilder, Scope

_KINDS = {
    AttributeProto.INT: "i",
    AttributeProto.INTS: "ints",
    AttributeProto.FLOAT: "f",
    AttributeProto.FLOATS: "floats",
    AttributeProto.STRING: "s",
    AttributeProto.STRINGS: "strings",
    AttributeProto.TENSOR: "t",
    AttributeProto.GRAPH: "g",
}


class NotConstant(Unsupported):
    """An operand would have to be constant. `position` of the operand in the node."""

    def __init__(self, what: str, name: str, position: int) -> None:
        super().__init__(f"{what} must be constant", f"{name!r} is computed", "fold it before export")
        self.position = position


class NodeImport:
    """Operands, attributes and results of one node, for its converter."""

    def __init__(self, builder: GraphBuilder, node: NodeProto, scope: Scope, index: int) -> None:
        self.builder = builder
        self.node = node
        self.scope = scope
        self.index = index
        self.base = printable(node.name or next((n for n in node.output if n), "") or node.op_type)
        domain = domain_of(node.domain)
        self.key = f"{domain}::{node.op_type}" if domain else node.op_type
        self.label = f'op {index} {printable(node.op_type)} "{self.base}"'
        self.results: list[str] = []

    @property
    def opset(self) -> int:
        """Version of the standard operators this node is written for."""
        return self.scope.opset

    # --- operands -------------------------------------------------------------------------------

    def has(self, position: int) -> bool:
        """Whether the operand is given."""
        if position >= len(self.node.input) or not self.node.input[position]:
            return False
        value = self.scope.values[self.node.input[position]]
        return value is None or bool(value.name)

    def count(self) -> int:
        """Number of operands, absent ones at the end left out."""
        return max((i + 1 for i in range(len(self.node.input)) if self.has(i)), default=0)

    def x(self, position: int = 0) -> str:
        """IR name of a required operand."""
        if not self.has(position):
            raise Unsupported(f"operand {position} is required", "absent")
        value = self.scope.values[self.node.input[position]]
        assert value is not None
        return self.builder.use(value)

    def optional(self, position: int) -> str | None:
        """IR name of an operand that may be absent."""
        return self.x(position) if self.has(position) else None

    def tensor(self, name: str) -> Tensor:
        return self.builder.tensors[name]

    def shape(self, position: int = 0) -> tuple[int, ...]:
        """Shape of an operand."""
        if self.has(position) and (data := self.known(position)) is not None:
            return data.shape
        return self.tensor(self.x(position)).shape

    def dtype(self, position: int = 0) -> DType:
        """Element type of an operand."""
        return self.tensor(self.x(position)).dtype

    def known(self, position: int) -> np.ndarray | None:
        """Data of an operand if it is constant; it may be of a type no value of the graph has."""
        if not self.has(position):
            return None
        value = self.scope.values[self.node.input[position]]
        assert value is not None
        if value.data is None and value.name in self.builder.tensors:
            return self.builder.tensors[value.name].data
        return value.data

    def constant(self, position: int, what: str) -> np.ndarray:
        """Data of an operand. Raises NotConstant when it is computed."""
        data = self.known(position)
        if data is None:
            name = printable(self.node.input[position]) if self.has(position) else "absent"
            raise NotConstant(what, name, position)
        return data

    def ints(self, position: int, what: str, limit: int = 64) -> tuple[int, ...]:
        """The integers in a constant operand, at most `limit` of them."""
        data = self.constant(position, what)
        if data.dtype.kind not in "iu" or data.size > limit:
            raise Unsupported(f"{what} must be at most {limit} integers", f"{data.dtype}{list(data.shape)}")
        return tuple(int(v) for v in data.ravel())

    def scalar(self, position: int, what: str) -> float:
        """The number in a constant operand of one element."""
        data = self.constant(position, what)
        if data.size != 1:
            raise Unsupported(f"{what} is one number", f"{list(data.shape)}")
        return float(data.ravel()[0])

    def axis(self, rank: int, default: int | None = None, name: str = "axis") -> int:
        """The attribute `axis` in [0, rank)."""
        if (axis := self.integer(name, default)) is None:
            raise Unsupported(f"{name} is required", "absent")
        return axis_of(axis, rank, name)

    def axes_input(self, position: int, rank: int) -> tuple[int, ...] | None:
        """Dimensions by the attribute `axes`, or by the operand newer operator sets have; None: neither."""
        if (axes := self.ints_attribute("axes")) is None and self.has(position):
            axes = self.ints(position, "axes")
        if axes is None:
            return None
        return tuple(axis_of(a, rank, "axes") for a in axes)

    # --- attributes -----------------------------------------------------------------------------

    def attribute(self, name: str) -> Any:
        """An attribute's value, or None. One of a function's node may refer to the call's."""
        for a in self.node.attribute:
            if a.name == name:
                found = self.scope.attributes.get(a.ref_attr_name) if a.ref_attr_name else a
                if found is None:
                    return None
                if found.type not in _KINDS:
                    raise Unsupported("attributes are numbers, strings, tensors and graphs", name)
                return getattr(found, _KINDS[found.type])
        return None

    def integer(self, name: str, default: Any = None) -> Any:
        """An integer attribute."""
        return self._typed(name, int, default)

    def number(self, name: str, default: Any = None) -> Any:
        """A number attribute, exactly a float32."""
        value = self.attribute(name)
        return default if value is None else float(value)

    def text(self, name: str, default: str) -> str:
        """A string attribute."""
        value = self._typed(name, bytes, None)
        return default if value is None else value.decode(errors="replace")

    def ints_attribute(self, name: str) -> tuple[int, ...] | None:
        """A list of integers; None without one."""
        value = self.attribute(name)
        if value is None:
            return None
        try:
            return tuple(int(v) for v in value)
        except (TypeError, ValueError):
            raise Unsupported(f"{name} is a list of integers", str(type(value).__name__)) from None

    def tensor_attribute(self, name: str) -> np.ndarray | None:
        """A constant attribute; None without one."""
        value = self._typed(name, onnx.TensorProto, None)
        return None if value is None else self.builder.model.reader.array(value, f"{self.base}.{name}")

    def graph_attribute(self, name: str) -> onnx.GraphProto:
        """A graph attribute, which must be there."""
        if (value := self._typed(name, onnx.GraphProto, None)) is None:
            raise Unsupported(f"{name} is a graph", "absent")
        return value  # type: ignore[no-any-return]

    def _typed(self, name: str, kind: type, default: Any) -> Any:
        value = self.attribute(name)
        if value is not None and not isinstance(value, kind):
            raise Unsupported(f"{name} has another type", type(value).__name__)
        return default if value is None else value

    # --- results --------------------------------------------------------------------------------

    def wanted(self, position: int) -> bool:
        """Whether an output is there and read by somebody."""
        outputs = self.node.output
        return (
            position < len(outputs) and bool(outputs[position]) and outputs[position] in self.builder.wanted
        )

    def y(self, position: int = 0, dtype: DType | None = None, like: str | None = None) -> str:
        """IR name of an output, of the given type or that of value `like` (default: the first operand)."""
        from .builder import Value

        given = self.node.output[position] if position < len(self.node.output) else ""
        name = self.builder.names.unique(printable(given) or f"{self.base}.{position}")
        self._declare(name, dtype, like)
        if given:
            self.scope.values[given] = Value(name)
        return name

    def temporary(self, what: str, dtype: DType | None = None, like: str | None = None) -> str:
        """Name of a new value, typed as `y` does, for nodes that become several ops."""
        name = self.builder.names.unique(f"{self.base}.{what}")
        self._declare(name, dtype, like)
        return name

    def _declare(self, name: str, dtype: DType | None, like: str | None) -> None:
        if dtype is None:
            source = self.tensor(like or self.x())
            self.builder.declare(Tensor(name, (), source.dtype, source.quant))
        else:
            self.builder.declare(Tensor(name, (), dtype))

    def make_constant(self, data: np.ndarray, what: str) -> str:
        """IR name of a new constant."""
        name = self.builder.names.unique(f"{self.base}.{what}")
        data = np.ascontiguousarray(data).reshape(data.shape)
        if data.dtype.kind == "f" and np.isnan(data).any():
            raise Unsupported("constants are numbers", f"{name!r} holds NaN")
        self.builder.declare(Tensor(name, data.shape, dtype_for(data.dtype, name), None, data))
        return name

    def set_constant(self, position: int, data: np.ndarray) -> None:
        """An output is this constant: nothing is left to compute."""
        from .builder import Value

        if position >= len(self.node.output) or not self.node.output[position]:
            return
        if data.size and (problem := size_problem(data.shape)):
            raise Unsupported(problem, f"output {list(data.shape)}")
        self.builder.reserve(data.size)
        given = self.node.output[position]
        name = self.builder.names.unique(printable(given))
        self.scope.values[given] = Value(name, data)

    def alias(self, value: str, position: int = 0) -> None:
        """An output is this value of the graph."""
        from .builder import Value

        if position < len(self.node.output) and self.node.output[position]:
            self.scope.values[self.node.output[position]] = Value(value)

    def set_tensor(self, name: str, **changes: Any) -> None:
        """Change the declaration of a value, for results of fixed quantization."""
        self.builder.declare(replace(self.tensor(name), **changes))

    def name(self) -> str:
        """A new op name."""
        return self.builder.op_names.unique(self.base)

    def emit(self, op: Op) -> None:
        """Append an op; see `GraphBuilder.emit`."""
        self.builder.emit(op, self.label)
