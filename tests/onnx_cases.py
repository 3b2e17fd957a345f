"""Random one-operator graphs with ONNX roundings, as the operators' own cases draw TFLite's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from patchloom.ir import DType, Graph, Op, Quant, Tensor, check_rules, verify
from patchloom.ir.cases import RandomDraw, one_op_graph
from patchloom.ir.ops.add import Add
from patchloom.ir.ops.average_pool2d import AveragePool2D
from patchloom.ir.ops.conv2d import Conv2D
from patchloom.ir.ops.depthwise_conv2d import DepthwiseConv2D
from patchloom.ir.ops.fully_connected import FullyConnected
from patchloom.ir.ops.matmul import MatMul
from patchloom.ir.ops.mean import Mean
from patchloom.ir.ops.mul import Mul
from patchloom.ir.ops.quantize import Quantize
from patchloom.ir.ops.softmax import Softmax
from patchloom.ir.ops.transpose_conv import TransposeConv
from patchloom.ir.rounding import Rounding
from patchloom.ir.weighted import WeightedOp

ONNX_OPS: tuple[type[Op], ...] = (
    Add, AveragePool2D, Conv2D, DepthwiseConv2D, FullyConnected, MatMul, Mean, Mul, Quantize, Softmax,
    TransposeConv,
)  # fmt: skip
_ROUNDINGS = (Rounding.ONNX_F32, Rounding.ONNX_F32_U8)


def onnx_cases(op: type[Op], count: int, first_seed: int = 0) -> list[Graph]:
    """`count` graphs of the op: its own int8 cases, re-quantized so that ties and saturation occur."""
    found: list[Graph] = []
    for case in _cases(op, first_seed):
        found.append(case)
        if len(found) == count:
            break
    return found


def _cases(kind: type[Op], first_seed: int) -> Iterator[Graph]:
    for seed in range(first_seed, first_seed + 400):
        draw = RandomDraw(seed)
        graph = kind.case(draw)
        (op,) = graph.ops
        x, y = graph[op.inputs[0]], graph[op.outputs[0]]
        # Between 8-bit types a quantize is a table, made by the lower pass.
        source = DType.FLOAT32 if kind is Quantize else DType.INT8
        if x.dtype is not source or (kind is not Quantize and y.dtype is not DType.INT8):
            continue
        changes = {"rounding": draw.choice(_ROUNDINGS)} | ({"beta": 1.0} if kind is Softmax else {})
        changed = replace(op, **changes)
        tensors = {n: _rescaled(draw, t) for n, t in graph.tensors.items()}
        if isinstance(op, WeightedOp) and op.bias is not None:
            tensors[op.bias] = replace(graph[op.bias], quant=None)
        outputs = [tensors[n] for n in changed.outputs]
        case = one_op_graph(changed, [*tensors.values(), *outputs])
        if not list(changed.rules(case.tensors)):
            check_rules(case)
            yield verify(case)


def _rescaled(draw: RandomDraw, t: Tensor) -> Tensor:
    """Half of the scales become powers of two, which make ties."""
    if t.quant is None or draw.choice([True, False]):
        return t
    scales = tuple(float(2.0 ** np.round(np.log2(s))) for s in t.quant.scale)
    return replace(t, quant=Quant(scales, t.quant.zero_point, t.quant.axis))
