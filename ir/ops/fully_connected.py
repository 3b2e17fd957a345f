"""fully_connected: a matrix product with constant weights."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..cases import Draw, draw_quant, one_op_graph
from ..graph import Graph
from ..op import Activation, Arrays, Problem, Tensors
from ..types import DType, Quant, Tensor
from ..weighted import WeightedOp, draw_bias, draw_output, draw_weights, weight_zero_point


@dataclass(frozen=True)
class FullyConnected(WeightedOp):
    """y[i,oc] = act(bias[oc] + sum over ic of x[i,ic] * weights[oc,ic]).

    x        any shape whose elements divide into rows of IC; int8, int16 or float32
    weights  [OC,IC] int8 (one scale or one per OC) or float32. With one scale the zero point may
             differ from 0 (uint8 models shifted to int8)
    bias     [OC] int32 (int64 for int16 x), float32, or absent
    y        x.shape[:-1] + [OC] with keep_dims, else [rows, OC]; of x's type
    """

    keep_dims: bool = False
    activation: Activation = Activation.NONE

    @property
    def fused(self) -> Activation:
        return self.activation

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        x, w = tensors[self.x], tensors[self.weights]
        if len(w.shape) != 2 or x.elements % w.shape[1]:
            yield Problem("weights must be [OC,IC] and the input rows of IC", f"{w.shape} and {x.shape}")
            return
        if self.keep_dims and x.shape[-1:] != w.shape[1:]:
            yield Problem(
                "with keep_dims the last dimension of the input is IC", f"{x.shape}, weights {w.shape}"
            )
        yield from self.weight_rules(tensors)

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        x, w = tensors[self.x], tensors[self.weights]
        return ((*x.shape[:-1], w.shape[0]) if self.keep_dims else (x.elements // w.shape[1], w.shape[0]),)

    def real_scales(self, tensors: Tensors) -> np.ndarray:
        """As the base class; with one weight scale, TFLite multiplies it by the input's in float32."""
        x, w, y = tensors[self.x], tensors[self.weights], tensors[self.y]
        assert x.quant and w.quant and y.quant
        if w.quant.per_axis:
            return super().real_scales(tensors)
        product = np.float32(x.quant.s) * np.float32(w.quant.s)
        return np.broadcast_to(np.float64(product) / np.float64(y.quant.s), w.shape[0])

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        w = inputs[1].astype(np.float64) - weight_zero_point(tensors[self.weights])
        rows = inputs[0].reshape(-1, w.shape[1]).astype(np.float64) - tensors[self.x].zero_point
        y = self.finish(tensors, rows @ w.T, inputs[2] if self.bias is not None else None)
        return (y.reshape(self.infer(tensors)[0]),)

    def macs(self, tensors: Tensors) -> int:
        return tensors[self.y].elements * tensors[self.weights].shape[1]

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        dtype = draw.choice([DType.INT8, DType.INT16, DType.FLOAT32])
        depth = draw.integer(1, 40) + (0 if dtype is DType.FLOAT32 else draw.choice([0, 0, 0, 512]))
        outputs, keep_dims = draw.integer(1, 14), draw.choice([False, True])
        shape = (*draw.choice([(1,), (3,), (1, 5), (1, 2, 3)]), depth)
        x = Tensor("x", shape, dtype, draw_quant(draw, dtype))
        w = draw_weights(draw, "weights", (outputs, depth), dtype, 0, per_channel=dtype is DType.INT8)
        if dtype is DType.INT8 and w.quant and not w.quant.per_axis and draw.choice([False, True]):
            w = Tensor("weights", w.shape, w.dtype, Quant(w.quant.scale, (draw.integer(-128, 127),)), w.data)
        bias = draw_bias(draw, "bias", outputs, x, w)
        y = draw_output(draw, "y", x, w, depth)
        op = cls(
            "fc", "x", "weights", "bias" if bias else None, "y", keep_dims, draw.choice(list(Activation))
        )
        return one_op_graph(op, [t for t in (x, w, bias, y) if t is not None])
