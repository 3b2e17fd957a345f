"""svdf: a rank-factored recurrent filter bank (singular value decomposition filter)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..cases import Draw, draw_quant
from ..fixed_point import Requant, requant_for
from ..graph import Graph
from ..op import Activation, Arrays, Op, Problem, Tensors
from ..types import DType, Quant, State, Tensor
from ..weighted import float_clamp, int32_accumulator_problems
from .read_state import ReadState
from .write_state import WriteState


@dataclass(frozen=True)
class Svdf(Op):
    """Each of F filters keeps its last M feature values; a unit sums the `rank` filters it owns.

        state_out[f] = state_in[f][1:], clamp(sum over i of x[i] * weights_feature[f,i])
        y[u] = act(bias[u] + sum over the filters f of u, over m, of state_out[f][m] * weights_time[f,m])

    x                [1,I] int8 or float32
    weights_feature  [F,I] of x's type, one scale, zero point 0
    weights_time     [F,M] int8 or int16 for int8 x, float32; zero point 0
    bias             [F/rank] int32 or float32, or absent
    state_in, state_out  [1,F*M] of weights_time's type; int8 states may have a zero point
    y                [1,F/rank] of x's type

    Integer arithmetic as TFLM: both rescalings round twice, the scale factors are float32 products,
    and `activation` is applied to float only. The zero point of the state is added before its clamp
    (older versions of TFLM add it behind and let the sum wrap around; zero point 0 hides it).
    With an int16 state the accumulator of the second sum is an int32 that may wrap around.
    Reference: Alvarez & Park 2019, "End-to-end streaming keyword spotting", section 2.
    """

    x: str
    weights_feature: str
    weights_time: str
    bias: str | None
    state_in: str
    y: str
    state_out: str
    rank: int
    activation: Activation = Activation.NONE

    INPUTS: ClassVar[tuple[str, ...]] = ("x", "weights_feature", "weights_time", "bias", "state_in")
    OUTPUTS: ClassVar[tuple[str, ...]] = ("y", "state_out")

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        x, wf, wt = (tensors[n] for n in (self.x, self.weights_feature, self.weights_time))
        state = tensors[self.state_in]
        if (
            len(wf.shape) != 2
            or len(wt.shape) != 2
            or x.shape != (1, wf.shape[1])
            or wf.shape[0] != wt.shape[0]
        ):
            yield Problem(
                "shapes must be input [1,I], weights [F,I] and [F,M]", f"{x.shape}, {wf.shape} and {wt.shape}"
            )
            return
        if self.rank < 1 or wf.shape[0] % self.rank:
            yield Problem("filters must divide into units of `rank`", f"{wf.shape[0]} by {self.rank}")
            return
        if state.elements != wt.elements:
            yield Problem(f"the state must have {wt.elements} elements", str(state.shape))
        problems = list(self._type_problems(tensors))
        yield from problems or self._accumulator_problems(tensors)

    def _type_problems(self, tensors: Tensors) -> Iterable[Problem]:
        x, wf, wt = (tensors[n] for n in (self.x, self.weights_feature, self.weights_time))
        state, y = tensors[self.state_in], tensors[self.y]
        types = (x.dtype, wf.dtype, wt.dtype, state.dtype, y.dtype)
        accepted = [(DType.INT8, DType.INT8, t, t, DType.INT8) for t in (DType.INT8, DType.INT16)]
        if types not in (*accepted, (DType.FLOAT32,) * 5):
            yield Problem(
                "input, weights and state must be int8 (time weights and state int8 or int16) or all float32",
                ", ".join(t.value for t in types),
            )
            return
        bias_type = DType.FLOAT32 if x.dtype is DType.FLOAT32 else DType.INT32
        constants = [(wf, wf.elements, wf.dtype), (wt, wt.elements, wt.dtype)]
        if self.bias is not None:
            constants.append((tensors[self.bias], wf.shape[0] // self.rank, bias_type))
        for t, elements, dtype in constants:
            if not t.constant or t.elements != elements or t.dtype is not dtype:
                rule = f"{t.name!r} must be a constant {dtype.value} of {elements} elements"
                yield Problem(rule, f"{'' if t.constant else 'computed '}{t.dtype.value}{list(t.shape)}")
        if x.dtype is DType.FLOAT32:
            return
        for t in (x, wf, wt, state, y):
            if t.quant is None or t.quant.per_axis:
                yield Problem(
                    "every tensor needs one scale", f"{t.name!r} has {'several' if t.quant else 'none'}"
                )
            elif t in (wf, wt) and t.quant.z:
                yield Problem("weights must have zero point 0", f"{t.name!r}: {t.quant.z}")

    def _accumulator_problems(self, tensors: Tensors) -> Iterable[Problem]:
        if tensors[self.x].dtype is DType.FLOAT32:
            return
        x, wf, wt = (tensors[n] for n in (self.x, self.weights_feature, self.weights_time))
        state, units = tensors[self.state_in], wf.shape[0] // self.rank
        assert wf.data is not None and wt.data is not None
        feature_scale, time_scale = (np.array([r]) for r in self.real_scales(tensors))
        yield from int32_accumulator_problems(_largest_sum(x, wf.data), feature_scale)
        if state.dtype is DType.INT16:
            if time_scale[0] >= 1.0:
                yield Problem(
                    "with an int16 state the scale to the output must be below 1", f"{time_scale[0]:.3g}"
                )
            return
        bound = _largest_sum(state, wt.data.reshape(units, -1))
        bias = tensors[self.bias].data if self.bias is not None else None
        if bias is not None:
            bound = bound + np.abs(bias.astype(np.float64)).max()
        yield from int32_accumulator_problems(bound, time_scale)

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        filters = tensors[self.weights_feature].shape[0]
        return (1, filters // self.rank), tensors[self.state_in].shape

    def real_scales(self, tensors: Tensors) -> tuple[float, float]:
        """Factors from feature sum to state and from time sum to output: float32 products."""
        names = (self.x, self.weights_feature, self.state_in, self.weights_time, self.y)
        x, wf, state, wt, y = (np.float32(quant.s) for quant in (tensors[n].quant for n in names) if quant)
        return float(np.float32(np.float32(x * wf) / state)), float(np.float32(np.float32(state * wt) / y))

    def requants(self, tensors: Tensors) -> tuple[Requant, Requant]:
        """Feature accumulator to state, time accumulator to output."""
        feature, time = self.real_scales(tensors)
        state, y = tensors[self.state_in], tensors[self.y]
        none = Activation.NONE
        return requant_for(np.array([feature]), state, none), requant_for(np.array([time]), y, none)

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        x, wf, wt, state = inputs[0], inputs[1], inputs[2], inputs[-1]
        old = state.reshape(wt.shape)
        feature = (x.astype(np.float64) - tensors[self.x].zero_point).reshape(-1) @ wf.astype(np.float64).T
        exact = tensors[self.x].dtype is not DType.FLOAT32
        if exact:
            feature_requant, output_requant = self.requants(tensors)
            feature = feature_requant.apply(feature.astype(np.int64))
        new = np.concatenate([old[:, 1:], feature[:, None].astype(old.dtype)], axis=1)
        zero = tensors[self.state_in].zero_point
        products = (new.astype(np.float64) - zero) * wt.astype(np.float64)
        acc = products.reshape(wf.shape[0] // self.rank, -1).sum(axis=1)
        if self.bias is not None:
            acc = acc + inputs[3].reshape(-1)
        if exact:
            y = output_requant.apply(acc.astype(np.int64).astype(np.int32))
        else:
            y = float_clamp(acc, self.activation)
        return y.reshape(1, -1), new.reshape(state.shape)

    def macs(self, tensors: Tensors) -> int:
        return tensors[self.weights_feature].elements + tensors[self.weights_time].elements

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        dtype = draw.choice([DType.INT8, DType.INT8, DType.FLOAT32])
        kept = draw.choice([DType.INT8, DType.INT16]) if dtype is DType.INT8 else DType.FLOAT32
        rank, units, memory, size = (
            draw.integer(1, 3),
            draw.integer(1, 6),
            draw.integer(1, 8),
            draw.integer(1, 20),
        )
        filters = rank * units
        x = Tensor("x", (1, size), dtype, draw_quant(draw, dtype))
        tensors = [x, *_draw_constants(draw, dtype, kept, filters, size, memory, units)]
        wf, wt, bias = tensors[1:4]
        state_quant = y_quant = None
        if wf.quant and wt.quant and x.quant:
            spread = np.sqrt(size) * 74 * 73 * x.quant.s * wf.quant.s
            steps = 8000.0 if kept is DType.INT16 else 40.0
            state_scale = np.float32(spread / steps * 2.0 ** draw.rng().uniform(-1, 2))
            zero = 0
            if kept is DType.INT8 and draw.choice([False, True]):
                # Until 2026 TFLM let this sum wrap instead of clamping it: stay inside.
                state_scale = np.float32(size * 255 * 127 * x.quant.s * wf.quant.s / 60.0)
                zero = draw.integer(-60, 60)
            state_quant = Quant((float(state_scale),), (zero,))
            y_scale = np.float32(np.sqrt(memory * rank) * spread * 73 * wt.quant.s / 40.0)
            if kept is DType.INT16:
                y_scale = np.float32(y_scale * 256.0)
            y_quant = Quant((float(y_scale),), (draw.integer(-128, 127),))
            bias_quant = Quant((float(np.float32(state_scale * np.float32(wt.quant.s))),), (0,))
            tensors[3] = Tensor("bias", bias.shape, bias.dtype, bias_quant, bias.data)
        shape = (1, filters * memory)
        initial = np.full(shape, state_quant.z if state_quant else 0, kept.numpy)
        tensors += [Tensor(n, shape, kept, state_quant) for n in ("old", "new")]
        tensors.append(Tensor("y", (1, units), dtype, y_quant))
        activation = draw.choice(list(Activation))
        ops = (
            ReadState("read", "memory", "old"),
            cls("svdf", "x", "weights_feature", "weights_time", "bias", "old", "y", "new", rank, activation),
            WriteState("write", "memory", "new"),
        )
        state = State("memory", shape, kept, state_quant, initial)
        return Graph("svdf", {t.name: t for t in tensors}, ops, ("x",), ("y",), (state,))


def _largest_sum(x: Tensor, weights: np.ndarray) -> np.ndarray:
    """Largest |sum of (x - zero point) * weights| over the rows of `weights`, float64[1]."""
    low, high = x.dtype.integer_range
    reach = max(x.zero_point - low, high - x.zero_point)
    return np.abs(weights.astype(np.float64)).sum(axis=1).max(keepdims=True) * reach


def _draw_constants(
    draw: Draw, dtype: DType, kept: DType, filters: int, size: int, memory: int, units: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Feature weights, time weights and bias (always present: TFLM reads it without asking)."""
    rng = draw.rng()
    result = []
    for name, shape, t in (
        ("weights_feature", (filters, size), dtype),
        ("weights_time", (filters, memory), kept),
    ):
        if t is DType.FLOAT32:
            result.append(Tensor(name, shape, t, None, rng.normal(size=shape).astype(np.float32)))
            continue
        high = t.integer_range[1]
        quant = Quant((float(np.float32(rng.uniform(0.2, 1.0) / high)),), (0,))
        data = rng.integers(-high, high + 1, size=shape).astype(t.numpy)
        result.append(Tensor(name, shape, t, quant, data))
    bias = rng.normal(size=units).astype(np.float32)
    if dtype is DType.INT8:
        return (
            result[0],
            result[1],
            Tensor("bias", (units,), DType.INT32, None, (bias * 3000).astype(np.int32)),
        )
    return result[0], result[1], Tensor("bias", (units,), DType.FLOAT32, None, bias)
