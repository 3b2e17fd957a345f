"""Operators on plain numbers mean what ONNX's do: random cases against onnxruntime, or onnx's reference."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from patchloom.ir import DType, Graph, Op, check_rules, evaluate, verify
from patchloom.ir.cases import RandomDraw
from patchloom.ir.ops import binary, reduce, unary
from patchloom.ir.ops.arg_reduce import ArgReduce
from patchloom.ir.ops.binary import Binary
from patchloom.ir.ops.cumsum import CumSum
from patchloom.ir.ops.expand import Expand
from patchloom.ir.ops.gather import Gather
from patchloom.ir.ops.gather_elements import GatherElements
from patchloom.ir.ops.gather_nd import GatherND
from patchloom.ir.ops.one_hot import OneHot
from patchloom.ir.ops.reduce import Reduce
from patchloom.ir.ops.scatter_elements import ScatterElements
from patchloom.ir.ops.scatter_nd import ScatterND
from patchloom.ir.ops.tile import Tile
from patchloom.ir.ops.top_k import TopK
from patchloom.ir.ops.unary import Unary
from patchloom.ir.ops.where import Where

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402

CASES = 40
_STATE = onnxruntime.capi.onnxruntime_pybind11_state
UNSUPPORTED = (_STATE.Fail, _STATE.NotImplemented, _STATE.InvalidGraph)
SPECIAL = np.array(
    [math.nan, math.inf, -math.inf, 0.0, -0.0, 0.5, 1.5, -2.5, 1.0, -1.0, 30.0, -30.0], np.float32
)

Node = tuple[str, dict[str, Any], dict[str, np.ndarray]]
"""Operator, attributes, constant operands behind the op's own inputs (by name, in order)."""

UNARY: dict[str, tuple[str, Callable[[Unary], dict[str, Any]]]] = {
    name: (name.capitalize(), lambda op: {})
    for name in (
        *("abs", "acos", "acosh", "asin", "asinh", "atan", "atanh", "ceil", "cos", "cosh", "erf", "exp"),
        *("floor", "log", "mish", "neg", "reciprocal", "round", "sign", "sin", "sinh", "softplus"),
        *("softsign", "sqrt", "tan", "not"),
    )
} | {
    "bitwise_not": ("BitwiseNot", lambda op: {}),
    "celu": ("Celu", lambda op: {"alpha": op.alpha}),
    "elu": ("Elu", lambda op: {"alpha": op.alpha}),
    "gelu": ("Gelu", lambda op: {}),
    "gelu_tanh": ("Gelu", lambda op: {"approximate": "tanh"}),
    "hard_sigmoid": ("HardSigmoid", lambda op: {"alpha": op.alpha, "beta": op.beta}),
    "isinf": (
        "IsInf",
        lambda op: {"detect_negative": int(op.alpha != 0), "detect_positive": int(op.beta != 0)},
    ),
    "isnan": ("IsNaN", lambda op: {}),
    "selu": ("Selu", lambda op: {"alpha": op.alpha, "gamma": op.beta}),
    "shrink": ("Shrink", lambda op: {"lambd": op.alpha, "bias": op.beta}),
    "swish": ("Swish", lambda op: {"alpha": op.alpha}),
    "thresholded_relu": ("ThresholdedRelu", lambda op: {"alpha": op.alpha}),
}
BINARY = {
    "add": "Add", "and": "And", "bitwise_and": "BitwiseAnd", "bitwise_or": "BitwiseOr",
    "bitwise_xor": "BitwiseXor", "div": "Div", "equal": "Equal", "fmod": "Mod", "greater": "Greater",
    "greater_equal": "GreaterOrEqual", "less": "Less", "less_equal": "LessOrEqual", "maximum": "Max",
    "minimum": "Min", "mod": "Mod", "mul": "Mul", "or": "Or", "pow": "Pow", "prelu": "PRelu",
    "shift_left": "BitShift", "shift_right": "BitShift", "sub": "Sub", "xor": "Xor",
}  # fmt: skip
REDUCE = {
    "l1": "ReduceL1", "l2": "ReduceL2", "log_sum": "ReduceLogSum", "log_sum_exp": "ReduceLogSumExp",
    "max": "ReduceMax", "min": "ReduceMin", "prod": "ReduceProd", "sum": "ReduceSum",
    "sum_square": "ReduceSumSquare",
}  # fmt: skip


def _unary(op: Unary, graph: Graph) -> Node | None:
    if graph[op.x].quant is not None:
        return None
    if op.function == "clip":
        bounds = {"low": np.float32(op.alpha), "high": np.float32(op.beta)}
        return "Clip", {}, {n: np.asarray(v) for n, v in bounds.items()}
    if op.function == "pow":
        return "Pow", {}, {"exponent": np.asarray(np.float32(op.alpha))}
    kind, attributes = UNARY[op.function]
    return kind, attributes(op), {}


def _binary(op: Binary, graph: Graph) -> Node | None:
    a, b, y = (graph[n] for n in (op.a, op.b, op.y))
    if op.function.startswith("shift"):
        direction = "LEFT" if op.function == "shift_left" else "RIGHT"
        return ("BitShift", {"direction": direction}, {}) if a.dtype is DType.UINT8 else None
    if op.function == "prelu" and (b.shape != y.shape[len(y.shape) - len(b.shape) :] or a.shape != y.shape):
        return None  # ONNX broadcasts the slope to x only
    unsigned = op.function == "prelu" and a.dtype is DType.UINT8
    attributes = {"fmod": 1} if op.function == "fmod" else {}
    return None if unsigned else (BINARY[op.function], attributes, {})


def _reduce(op: Reduce, graph: Graph) -> Node | None:
    return REDUCE[op.function], {"keepdims": int(op.keep_dims)}, {"axes": np.array(op.axes, np.int64)}


def _arg_reduce(op: ArgReduce, graph: Graph) -> Node | None:
    flags = {"axis": op.axis, "keepdims": int(op.keep_dims), "select_last_index": int(op.last)}
    return ("ArgMax" if op.largest else "ArgMin"), flags, {}


def _cumsum(op: CumSum, graph: Graph) -> Node | None:
    flags = {"exclusive": int(op.exclusive), "reverse": int(op.reverse)}
    return ("CumProd" if op.product else "CumSum"), flags, {"axis": np.array(op.axis, np.int64)}


def _one_hot(op: OneHot, graph: Graph) -> Node | None:
    if graph[op.y].dtype is DType.BOOL:
        return None  # neither of the two computes it
    return "OneHot", {"axis": op.axis}, {"depth": np.array(op.depth, np.int64)}


def _top_k(op: TopK, graph: Graph) -> Node | None:
    return "TopK", {"axis": op.axis, "largest": int(op.largest)}, {"k": np.array([op.k], np.int64)}


NODES: dict[type[Op], Callable[[Any, Graph], Node | None]] = {
    ArgReduce: _arg_reduce,
    Binary: _binary,
    CumSum: _cumsum,
    Expand: lambda op, graph: ("Expand", {}, {"shape": np.array(op.shape, np.int64)}),
    Gather: lambda op, graph: ("Gather", {"axis": op.axis}, {}),
    GatherElements: lambda op, graph: ("GatherElements", {"axis": op.axis}, {}),
    GatherND: lambda op, graph: ("GatherND", {"batch_dims": op.batch_dims}, {}),
    OneHot: _one_hot,
    Reduce: _reduce,
    ScatterElements: lambda op, graph: ("ScatterElements", {"axis": op.axis, "reduction": op.reduction}, {}),
    ScatterND: lambda op, graph: ("ScatterND", {"reduction": op.reduction}, {}),
    Tile: lambda op, graph: ("Tile", {}, {"repeats": np.array(op.repeats, np.int64)}),
    TopK: _top_k,
    Unary: _unary,
    Where: lambda op, graph: ("Where", {}, {}),
}


def onnx_answers(op: Op, graph: Graph, node: Node, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
    """What onnxruntime makes of the op; onnx's own reference where it has no kernel for the types."""
    kind, attributes, constants = node
    names = [*op.inputs, *constants]
    if isinstance(op, OneHot):
        names = [op.indices, "depth", op.values]
    attributes = {n: v for n, v in attributes.items() if v is not None}
    onnx_node = helper.make_node(kind, names, list(op.outputs), **attributes)
    index = {n for n in op.outputs if isinstance(op, ArgReduce) or (isinstance(op, TopK) and n == op.indices)}

    def info(name: str) -> Any:
        wide = (
            TensorProto.INT64 if name in index else helper.np_dtype_to_tensor_dtype(graph[name].dtype.numpy)
        )
        return helper.make_tensor_value_info(name, wide, graph[name].shape)

    stored = {n: t.data for n, t in graph.tensors.items() if t.data is not None} | constants
    initializers = [numpy_helper.from_array(np.asarray(v), n) for n, v in stored.items()]
    given = [info(n) for n in graph.inputs]
    made = helper.make_graph([onnx_node], "case", given, [info(n) for n in op.outputs], initializers)
    opset = 24 if kind == "Swish" else 26 if kind == "CumProd" else 21
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    feeds = {n: np.asarray(inputs[n]).reshape(graph[n].shape) for n in graph.inputs}
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        return list(session.run(None, feeds))
    except UNSUPPORTED:
        return list(ReferenceEvaluator(model).run(None, feeds))


def inputs_for(op: Op, graph: Graph, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Inputs that ONNX defines: indices inside, no division of integers by 0, no negative powers of them."""
    given = {}
    for name in graph.inputs:
        t = graph[name]
        if t.dtype is DType.FLOAT32:
            given[name] = rng.normal(size=t.shape).astype(np.float32) * 2
            if isinstance(op, Unary):
                given[name] = rng.choice(np.append(SPECIAL, given[name]), t.shape).astype(np.float32)
        else:
            low, high = (0, 2) if t.dtype is DType.BOOL else (max(t.dtype.integer_range[0], -9), 10)
            given[name] = rng.integers(low, high, t.shape).astype(t.dtype.numpy)
        if isinstance(op, Binary) and name == op.b and t.dtype not in (DType.FLOAT32, DType.BOOL):
            given[name] = np.abs(given[name]) if op.function == "pow" else given[name]
            given[name] = np.where(given[name] == 0, 1, given[name]).astype(t.dtype.numpy)
        if name == "indices" and not isinstance(op, OneHot):
            given[name] = _inside(op, graph, rng).astype(t.dtype.numpy)
    return given


def _inside(op: Any, graph: Graph, rng: np.random.Generator) -> np.ndarray:
    shape, taken = graph[op.x].shape, graph[op.indices].shape
    if hasattr(op, "axis"):
        return rng.integers(-shape[op.axis], shape[op.axis], taken)
    first = getattr(op, "batch_dims", 0)
    sizes = np.array(shape[first : first + taken[-1]])
    return rng.integers(-sizes, sizes, taken)


@pytest.mark.parametrize("kind", NODES, ids=lambda op: op.kind())
def test_the_reference_equals_onnxruntime(kind: type[Op]) -> None:
    compared = 0
    for seed in range(CASES):
        graph = verify(kind.case(RandomDraw(seed)))
        check_rules(graph)
        (op,) = graph.ops
        node = NODES[kind](op, graph)
        if node is None:
            continue
        inputs = inputs_for(op, graph, np.random.default_rng(seed))
        got = evaluate(graph, inputs)
        with np.errstate(all="ignore"):
            answers = onnx_answers(op, graph, node, inputs)
        for name, answer in zip(op.outputs, answers, strict=True):
            # onnx's reference widens small integers; both mean the same stored value
            want = answer.astype(got[name].dtype) if got[name].dtype != np.float32 else answer
            same = np.testing.assert_allclose if want.dtype == np.float32 else np.testing.assert_array_equal
            tolerance = {"rtol": 2e-5, "atol": 2e-6} if want.dtype == np.float32 else {}
            same(got[name], want, err_msg=f"{op} {graph[op.inputs[0]].dtype}", **tolerance)
        compared += 1
    assert compared >= CASES // 3


def test_every_function_is_compared() -> None:
    assert set(unary.FUNCTIONS) == {*UNARY, "clip", "pow"}
    assert set(binary.FUNCTIONS) == set(BINARY)
    assert set(reduce.FLOAT) == set(REDUCE)
