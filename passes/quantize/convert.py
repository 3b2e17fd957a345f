"""From float graph, scheme and quantized weights to the integer graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ...ir import DType, Graph, Op, Quant, State, Tensor
from ...ir.ops.dequantize import Dequantize
from ...ir.ops.layer_normalization import BIAS_SHIFT, LayerNormalization
from ...ir.ops.pad import Pad
from ...ir.ops.prelu import PRelu
from ...ir.ops.quantize import Quantize
from ...ir.ops.read_state import ReadState
from ...ir.ops.write_state import WriteState
from ..rewrite import fresh_name
from .kinds import Weighted, alike, float_operands, is_float
from .scheme import SMALLEST_SCALE, Scheme
from .weights import LayerWeights

_INTEGERS = (DType.INT8, DType.INT16)


def store(x: np.ndarray, quant: Quant, dtype: DType) -> np.ndarray:
    """Real values as stored integers, to nearest, saturated."""
    low, high = dtype.integer_range
    return np.clip(np.round(x / np.float64(quant.s)) + quant.z, low, high).astype(dtype.numpy)


def real(q: np.ndarray, quant: Quant) -> np.ndarray:
    """float32 values of stored integers."""
    return ((q.astype(np.float64) - quant.z) * quant.s).astype(np.float32)


class _Converter:
    """Builds the ops in order; knows under which name a value exists in which type and quantization."""

    def __init__(self, graph: Graph, scheme: Scheme, weights: Mapping[str, LayerWeights]) -> None:
        self.graph, self.scheme, self.weights = graph, scheme, weights
        self.ops: list[Op] = []
        self.tensors: dict[str, Tensor] = {n: graph[n] for n in graph.inputs}
        self.versions: dict[tuple[str, DType, Quant | None], str] = {}
        self.stored: dict[str, str] = {}

    def fresh(self, stem: str) -> str:
        return fresh_name(self.graph, stem, {*self.tensors, *(op.name for op in self.ops)})

    def quant(self, name: str, dtype: DType) -> Quant | None:
        return self.scheme.quant(name, dtype) if dtype in _INTEGERS else None

    def declare(self, name: str, dtype: DType) -> str:
        """The value `name`, computed in `dtype`. Outputs keep their name for the float at the border."""
        quant = self.quant(name, dtype)
        own = self.fresh(f"{name}_{dtype.value}") if quant and name in self.graph.outputs else name
        self.tensors[own] = Tensor(
            own, self.graph[name].shape, dtype if quant else self.graph[name].dtype, quant
        )
        self.versions[name, dtype, quant] = own
        if quant:
            self.stored[name] = own
        return own

    def operand(self, name: str, dtype: DType, like: str) -> str:
        """`name` as `dtype`, quantized like the value `like`; converted where it does not exist so yet."""
        quant = self.quant(like, dtype)
        key = (name, dtype, quant)
        if key not in self.versions:
            data = self.graph[name].data
            if data is not None:
                self.versions[key] = self.constant(name, data, dtype, quant)
            elif quant is None and name in self.graph.inputs:
                self.versions[key] = name
            else:
                self.versions[key] = self.converted(name, dtype, quant)
        return self.versions[key]

    def constant(self, name: str, data: np.ndarray, dtype: DType, quant: Quant | None) -> str:
        if quant is None:
            self.tensors[name] = self.graph[name]
            return name
        new = self.fresh(f"{name}_{dtype.value}")
        self.tensors[new] = Tensor(new, data.shape, dtype, quant, store(data, quant, dtype))
        return new

    def converted(self, name: str, dtype: DType, quant: Quant | None) -> str:
        """A quantize or dequantize of the value as it was computed."""
        native = self.scheme.native[name]
        source = self.versions.get((name, native, self.quant(name, native)), name)
        stem = f"{name}_{dtype.value if quant else 'float'}"
        new = name if quant is None and name in self.graph.outputs else self.fresh(stem)
        self.tensors[new] = Tensor(new, self.graph[name].shape, dtype, quant)
        op_name = self.fresh(f"{new}_convert")
        self.ops.append(Quantize(op_name, source, new) if quant else Dequantize(op_name, source, new))
        if quant:
            self.stored.setdefault(name, new)
        return new

    def add(self, op: Op) -> None:
        dtype = self.scheme.precision[op.name]
        if isinstance(op, Weighted) and dtype in _INTEGERS:
            self.weighted(op, dtype)
            return
        names = {}
        quantized = dtype in _INTEGERS
        activations = float_operands(self.graph, op) if quantized else op.inputs
        for x in dict.fromkeys(op.inputs):
            if not is_float(self.graph, x):
                self.tensors[x] = self.graph[x]
            elif x in activations:
                like = op.outputs[0] if quantized and self._shares(op, x) else x
                names[x] = self.operand(x, dtype, like)
        if isinstance(op, PRelu) and quantized:
            names[op.alpha] = self.alpha(op)
        if isinstance(op, LayerNormalization) and quantized:
            op = self.normalization(op)
        for y in op.outputs:
            names[y] = self.declare(y, dtype if is_float(self.graph, y) else self.graph[y].dtype)
        self.ops.append(_with_stored_padding(op.renamed(names), self.tensors))

    def _shares(self, op: Op, x: str) -> bool:
        """Whether the op needs `x` in its output's quantization, though `x` has one of its own."""
        return (
            alike(op)
            and bool(op.outputs)
            and self.scheme.roots.get(x) != self.scheme.roots.get(op.outputs[0])
        )

    def alpha(self, op: PRelu) -> str:
        """The slopes as int8, symmetric."""
        data = self.graph[op.alpha].data
        assert data is not None
        scale = float(np.float32(max(float(np.abs(data).max(initial=0.0)) / 127, 2.0**-20)))
        return self.constant(op.alpha, data, DType.INT8, Quant((scale,), (0,)))

    def normalization(self, op: LayerNormalization) -> LayerNormalization:
        """The op with its factors as int16 and its offsets as int32, where it has any."""
        if op.scale is None and op.bias is None:
            return op
        shape = self.graph[op.x].shape[op.axis :]
        data = self.graph[op.scale].data if op.scale is not None else np.ones(shape, np.float32)
        assert data is not None
        largest = float(np.abs(data).max(initial=0.0))
        step = Quant((float(np.float32(max(largest, SMALLEST_SCALE) / 32767)),), (0,))
        scale = self.fresh(f"{op.name}_scale_int16")
        self.tensors[scale] = Tensor(scale, shape, DType.INT16, step, store(data, step, DType.INT16))
        offsets = self.graph[op.bias].data if op.bias is not None else None
        if offsets is None:
            return replace(op, scale=scale)
        fine = Quant((step.s / (1 << BIAS_SHIFT),), (0,))
        bias = self.fresh(f"{op.name}_bias_int32")
        self.tensors[bias] = Tensor(bias, shape, DType.INT32, fine, store(offsets, fine, DType.INT32))
        return replace(op, scale=scale, bias=bias)

    def weighted(self, op: Weighted, dtype: DType) -> None:
        layer = self.weights[op.name]
        x = self.operand(op.x, dtype, op.x)
        x_quant = self.tensors[x].quant
        assert x_quant
        scales = tuple(float(s) for s in layer.scale)
        axis = op.CHANNEL_AXIS % layer.stored.ndim if len(scales) > 1 else None
        w = self.fresh(f"{op.weights}_int8")
        self.tensors[w] = Tensor(
            w, layer.stored.shape, DType.INT8, Quant(scales, (0,) * len(scales), axis), layer.stored
        )
        b = self.fresh(f"{op.bias or op.name + '_bias'}_{'int32' if dtype is DType.INT8 else 'int64'}")
        self.tensors[b] = _stored_bias(b, layer, x_quant, DType.INT32 if dtype is DType.INT8 else DType.INT64)
        self.ops.append(replace(op, x=x, weights=w, bias=b, y=self.declare(op.y, dtype)))

    def border(self) -> None:
        """Float outputs; inputs were converted where they are read."""
        for name in self.graph.outputs:
            if is_float(self.graph, name) and self.scheme.native[name] is not DType.FLOAT32:
                self.converted(name, DType.FLOAT32, None)

    def states(self) -> tuple[State, ...]:
        integer = {
            op.state: op for op in self.graph.ops
            if isinstance(op, ReadState | WriteState) and self.scheme.precision[op.name] in _INTEGERS
        }  # fmt: skip
        return tuple(self._state(s, integer.get(s.name)) for s in self.graph.states)

    def _state(self, state: State, op: ReadState | WriteState | None) -> State:
        if op is None:
            return state
        quant = self.scheme.quant(op.y if isinstance(op, ReadState) else op.x, DType.INT8)
        return State(state.name, state.shape, DType.INT8, quant, store(state.initial, quant, DType.INT8))


def _with_stored_padding(op: Op, tensors: Mapping[str, Tensor]) -> Op:
    """A pad's value is one of the stored type."""
    quant = tensors[op.y].quant if isinstance(op, Pad) else None
    if not isinstance(op, Pad) or quant is None:
        return op
    return replace(op, value=int(store(np.array(op.value), quant, tensors[op.y].dtype)))


def _stored_bias(name: str, layer: LayerWeights, x_quant: Quant, dtype: DType) -> Tensor:
    """The bias in steps of input scale times weight scale."""
    steps = np.float64(x_quant.s) * layer.scale.astype(np.float64)
    limit = 2.0**30 if dtype is DType.INT32 else 2.0**46
    data = np.clip(np.round(layer.bias / steps), -limit, limit).astype(dtype.numpy)
    scales = tuple(float(np.float32(s)) for s in steps)
    quant = Quant(scales, (0,) * len(scales), 0 if len(scales) > 1 else None)
    return Tensor(name, data.shape, dtype, quant, data)


def to_integers(
    graph: Graph, scheme: Scheme, weights: Mapping[str, LayerWeights]
) -> tuple[Graph, dict[str, str]]:
    """The integer graph, float at its borders, and the integer value that stands for each float value.

    weights   by op name, for every weighted op that is not kept in float
    """
    converter = _Converter(graph, scheme, weights)
    for op in graph.ops:
        converter.add(op)
    converter.border()
    tensors = converter.tensors
    new = Graph(
        graph.name, tensors, tuple(converter.ops), graph.inputs, graph.outputs, converter.states(),
        graph.source, graph.labels,
    )  # fmt: skip
    return new.rewritten(new.ops), converter.stored
