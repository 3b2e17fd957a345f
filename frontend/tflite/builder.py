"""One subgraph of a file becomes IR operators, and everything that cannot is collected."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import numpy as np
import tflite

from ...errors import Violation
from ...ir import Activation, DType, Op, Problem, State, Tensor
from .model import RawModel, RawOp, RawSubgraph, RawTensor, malformed
from .naming import op_name, printable, tensor_names
from .shape_arithmetic import fold_shape_arithmetic
from .tensors import Unsupported, as_int8, constant_data, dtype_of, quant_of, size_problem

MAX_STATE_BYTES = 64 << 20
"""States are allocated by the importer; no microcontroller has this much."""

MAX_VALUES = 1 << 29
"""Elements of all computed values together, which the reference keeps at once."""

_ACTIVATIONS = {
    tflite.ActivationFunctionType.NONE: Activation.NONE,
    tflite.ActivationFunctionType.RELU: Activation.RELU,
    tflite.ActivationFunctionType.RELU_N1_TO_1: Activation.RELU_N1_TO_1,
    tflite.ActivationFunctionType.RELU6: Activation.RELU6,
}
_ACTIVATION_NAMES = {v: k for k, v in vars(tflite.ActivationFunctionType).items() if isinstance(v, int)}


@dataclass
class Variables:
    """States of a model, shared by its subgraphs; keys are shared names or tensor indices."""

    states: dict[object, State] = field(default_factory=dict)
    bytes_left: int = MAX_STATE_BYTES

    def declare(self, key: object, wanted: str, tensor: Tensor) -> str:
        """Name of the state behind `key`, made on first use; starts as zero (its zero point for int8).

        Raises Unsupported when another use of it had another shape or type.
        """
        state = self.states.get(key)
        if state is None:
            self.bytes_left -= tensor.size_bytes
            if self.bytes_left < 0:
                raise Unsupported(
                    f"states take at most {MAX_STATE_BYTES} bytes", f"{wanted!r} {list(tensor.shape)}"
                )
            taken = {s.name for s in self.states.values()}
            name = next(
                n for i in range(len(taken) + 1) if (n := f"{wanted}_{i}" if i else wanted) not in taken
            )
            fill = tensor.zero_point if tensor.dtype is DType.INT8 else 0
            initial = np.full(tensor.shape, fill, tensor.dtype.numpy)
            state = self.states[key] = State(name, tensor.shape, tensor.dtype, tensor.quant, initial)
        if (state.shape, state.dtype) != (tensor.shape, tensor.dtype):
            raise Unsupported(
                "every read and write of a variable has its shape and type",
                f"{tensor.dtype.value}{list(tensor.shape)} and {state.dtype.value}{list(state.shape)}",
            )
        return state.name

    def set_initial(self, values: Mapping[str, np.ndarray]) -> None:
        """Make `values`, by state name, what a reset restores."""
        self.states = {
            k: replace(s, initial=values[s.name]) if s.name in values else s for k, s in self.states.items()
        }


Converter = Callable[["OpImport"], None]


class GraphBuilder:
    """Imports the ops of one subgraph, in order.

    shapes_given  shapes of intermediate tensors in the file do not count: an input has another shape
    values        IR names of the file's tensors defined so far
    unknown       file tensors whose shape or type could not be found out
    """

    def __init__(self, model: RawModel, graph: RawSubgraph, variables: Variables) -> None:
        self.model = model
        self.graph = graph
        self.variables = variables
        self.shapes_given = False
        self.fresh, self.names = tensor_names(t.name for t in graph.tensors)
        self.tensors: dict[str, Tensor] = {}
        self.values: dict[int, str] = {}
        self.handles: dict[int, object] = {}
        self.unknown: set[int] = set()
        self.ops: list[Op] = []
        self.labels: dict[str, str] = {}
        self.violations: list[Violation] = []
        self.op_names = tensor_names([])[0]
        self.values_left = MAX_VALUES
        self.read_left = (64 << 20) + 64 * sum(t.data.size for t in graph.tensors if t.data is not None)

    def run(self, converters: Mapping[int, Converter]) -> None:
        """Import every op; problems land in `violations`."""
        for index, op in enumerate(self.graph.ops):
            self.import_op(OpImport(self, index, op), converters.get(op.code))

    def import_op(self, op: OpImport, converter: Converter | None) -> None:
        ready = not self.unknown.intersection(op.raw.inputs)
        try:
            folded = ready and fold_shape_arithmetic(op)
            if converter is None and not folded:
                raise Unsupported("the operator must be one of those `patchloom ops` lists", op.raw.code_name)
            if converter is not None and ready and not folded:
                converter(op)
        except Unsupported as error:
            self.violations += [Violation(op.label, p.rule, p.found, p.hint) for p in error.problems]
        for i in op.raw.outputs:
            if i not in self.values and i not in self.handles:
                self.declare_as_in_file(i)

    def declare_as_in_file(self, index: int) -> None:
        """Give the output of a failed op the file's type, so that the ops behind it can be checked too."""
        raw = self.graph.tensors[index]
        try:
            dtype = dtype_of(raw)
            quant = quant_of(raw, dtype)
        except Unsupported:
            self.unknown.add(index)
            return
        if raw.shape is None or size_problem(raw.shape):
            self.unknown.add(index)
            return
        self.define(index, Tensor(self.names[index], raw.shape, dtype, quant))

    def define(self, index: int, tensor: Tensor) -> None:
        self.tensors[tensor.name] = tensor
        self.values[index] = tensor.name

    def value(self, index: int) -> str:
        """IR name of a file tensor; constants enter the graph on first use."""
        if index in self.values:
            return self.values[index]
        raw = self.graph.tensors[index]
        dtype = dtype_of(raw)
        if raw.data is None:
            raise Unsupported(
                "the operand must be a value", f"{printable(raw.name)!r} is {raw.type_name} state"
            )
        data = constant_data(self.model.source, raw, dtype)
        self.define(index, Tensor(self.names[index], data.shape, dtype, quant_of(raw, dtype), data))
        return self.names[index]


class OpImport:
    """One operator of the file while it is converted: its operands, its options, and where ops go."""

    def __init__(self, builder: GraphBuilder, index: int, raw: RawOp) -> None:
        self.builder = builder
        self.index = index
        self.raw = raw
        names = [builder.names[i] for i in (*raw.outputs, *(i for i in raw.inputs if i >= 0))]
        self.base = op_name(names[0]) if names else raw.code_name.lower()
        self.label = f'op {index} {raw.code_name} "{self.base}"'

    # --- operands -------------------------------------------------------------------------------

    def count(self, inputs: tuple[int, int], outputs: int = 1) -> None:
        """Check the number of operands. Raises Unsupported."""
        low, high = inputs
        if not low <= len(self.raw.inputs) <= high or len(self.raw.outputs) != outputs:
            accepted = str(low) if low == high else f"{low} to {high}"
            found = f"{len(self.raw.inputs)} inputs and {len(self.raw.outputs)} outputs"
            raise Unsupported(f"{self.raw.code_name} takes {accepted} inputs and {outputs} outputs", found)

    def x(self, position: int = 0) -> str:
        """Name of a required operand."""
        if (name := self.optional(position)) is None:
            raise Unsupported(f"operand {position} is required", "absent")
        return name

    def optional(self, position: int) -> str | None:
        """Name of an operand that may be absent."""
        if position >= len(self.raw.inputs) or self.raw.inputs[position] < 0:
            return None
        return self.builder.value(self.raw.inputs[position])

    def tensor(self, name: str) -> Tensor:
        return self.builder.tensors[name]

    def shape(self, position: int = 0) -> tuple[int, ...]:
        """Shape of an operand."""
        return self.tensor(self.x(position)).shape

    def shape4(self, position: int) -> tuple[int, ...]:
        """Shape of an operand that must have 4 dimensions."""
        shape = self.shape(position)
        if len(shape) != 4:
            raise Unsupported("input and weights have 4 dimensions", f"{list(shape)}")
        return shape

    def ints(self, position: int, what: str, limit: int = 64) -> tuple[int, ...]:
        """The integers in a constant operand, at most `limit` of them."""
        t = self.tensor(self.x(position))
        if t.data is None:
            raise Unsupported(f"{what} must be constant", f"{t.name!r} is computed", "fold it before export")
        if t.dtype not in (DType.INT32, DType.INT64) or t.elements > limit:
            raise Unsupported(f"{what} must be at most {limit} integers", f"{t.dtype.value}{list(t.shape)}")
        return tuple(int(v) for v in t.data.ravel())

    def axes(self, position: int, what: str, rank: int) -> tuple[int, ...]:
        """A constant operand of dimension numbers; negative ones count from the end."""
        return tuple(axis_of(a, rank, what) for a in self.ints(position, what))

    def axis(self, position: int, rank: int) -> int:
        """A constant operand of one dimension number."""
        axes = self.axes(position, "axis", rank)
        if len(axes) != 1:
            raise Unsupported("there is one axis", str(list(axes)))
        return axes[0]

    def reserve(self, count: int) -> None:
        """Account for `count` bytes of constants read; sharing makes a small file expensive otherwise."""
        self.builder.read_left -= count
        if self.builder.read_left < 0:
            raise malformed(
                self.builder.model.source, "constants are shared by more operators than any real model has"
            )

    # --- options --------------------------------------------------------------------------------

    def options(self, name: str) -> Any:
        """The option table, as the accessor class of that name. Raises Unsupported when there is none."""
        if self.raw.options is None or self.raw.options_type != getattr(tflite.BuiltinOptions, name):
            raise Unsupported(f"the operator must carry {name}", "none or others")
        options = getattr(tflite, name)()
        options.Init(self.raw.options.Bytes, self.raw.options.Pos)
        return options

    def activation(self, options: Any) -> Activation:
        """The fused activation of an option table."""
        code = options.FusedActivationFunction()
        if code not in _ACTIVATIONS:
            accepted = ", ".join(a.value for a in _ACTIVATIONS.values())
            raise Unsupported(f"fused activations are {accepted}", _ACTIVATION_NAMES.get(code, str(code)))
        return _ACTIVATIONS[code]

    # --- results --------------------------------------------------------------------------------

    def y(self, position: int = 0) -> str:
        """Name of an output, declared with the file's type; its shape follows from the op that writes it."""
        index = self.raw.outputs[position]
        raw, name = self.builder.graph.tensors[index], self.builder.names[index]
        dtype = dtype_of(raw)
        self.builder.tensors[name] = Tensor(name, (), dtype, quant_of(raw, dtype))
        return name

    def temporary(self, what: str, like: str, shape: tuple[int, ...] = ()) -> str:
        """Name of a new value with the type of value `like`, for ops that become several."""
        name = self.builder.fresh.unique(f"{self.base}.{what}")
        self.builder.tensors[name] = replace(self.tensor(like), name=name, shape=shape, data=None)
        return name

    def name(self) -> str:
        """A new op name."""
        name = self.builder.op_names.unique(self.base)
        self.builder.labels[name] = self.label
        return name

    def constant(self, data: np.ndarray, position: int = 0) -> None:
        """The output is this constant: nothing is left to compute."""
        name = self.y(position)
        self.builder.define(
            self.raw.outputs[position], replace(self.tensor(name), shape=data.shape, data=data)
        )

    def emit(self, op: Op) -> None:
        """Append an op: its rules are checked and its outputs get the inferred shapes."""
        tensors = self.builder.tensors
        self.reserve(sum(tensors[x].size_bytes for x in op.inputs if tensors[x].constant))
        if problems := self.problems(op):
            raise Unsupported.by_rules(problems)
        for y, shape in zip(op.outputs, op.infer(tensors), strict=True):
            if problem := size_problem(shape):
                raise Unsupported(problem, f"output {list(shape)}")
            self.builder.values_left -= prod(shape)
            if self.builder.values_left < 0:
                raise Unsupported(
                    f"values have at most {MAX_VALUES} elements in all", f"output {list(shape)}"
                )
            tensors[y] = replace(tensors[y], shape=shape)
        for index in self.raw.outputs:
            if self.builder.names[index] in op.outputs:
                self.finish(index)
        self.builder.ops.append(op)

    def problems(self, op: Op) -> list[Problem]:
        """Rules that are not met, for uint8 operands as for the int8 ones they will become."""
        tensors = self.builder.tensors
        found = broken_rules(op, tensors)
        operands = {v: tensors[v] for v in (*op.inputs, *op.outputs)}
        if found and any(t.dtype is DType.UINT8 for t in operands.values()):
            return broken_rules(op, {**tensors, **{v: as_int8(t) for v, t in operands.items()}})
        return found

    def finish(self, index: int) -> None:
        """An output is known: compare its shape with the file's, which says the same unless it is unknown."""
        raw, shape = self.builder.graph.tensors[index], self.tensor(self.builder.names[index]).shape
        self.builder.values[index] = self.builder.names[index]
        if not self.builder.shapes_given and raw.shape and not shapes_agree(raw, shape):
            raise Unsupported(
                "tensor shapes in the file must be those the operator computes",
                f"{list(raw.shape)} in the file, {list(shape)} computed",
            )


def broken_rules(op: Op, tensors: Mapping[str, Tensor]) -> list[Problem]:
    """Rules that are not met. A rule may rely on those before it: what they reported then stands."""
    found: list[Problem] = []
    try:
        with np.errstate(all="ignore"):
            for problem in op.rules(tensors):
                found.append(problem)
    except (ValueError, IndexError, AssertionError):
        if not found:
            raise
    return found


def shapes_agree(raw: RawTensor, shape: tuple[int, ...]) -> bool:
    """The file's shape, unknown dimensions left out, equals `shape`."""
    assert raw.shape is not None
    signature = raw.signature if raw.signature and len(raw.signature) == len(raw.shape) else raw.shape
    if len(raw.shape) != len(shape):
        return False
    return all(s == n or -1 in (s, u) for s, u, n in zip(raw.shape, signature, shape, strict=True))


def axis_of(axis: int, rank: int, what: str = "axis") -> int:
    """A dimension number in [0, rank). Raises Unsupported."""
    if not -rank <= axis < rank:
        raise Unsupported(f"{what} must be a dimension of the input", f"{axis} of {rank}")
    return axis % rank
