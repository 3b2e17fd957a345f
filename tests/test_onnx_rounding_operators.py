"""The references of the ONNX roundings == onnxruntime's QLinear operators, value for value.

Scales are arbitrary or powers of two; the latter make ties.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from onnx_quantized_nets import FLOAT, INT8, UINT8, Net, session
from patchloom.ir import DType, Op, Quant, Tensor, Window
from patchloom.ir.ops.add import Add
from patchloom.ir.ops.average_pool2d import AveragePool2D
from patchloom.ir.ops.conv2d import Conv2D
from patchloom.ir.ops.fully_connected import FullyConnected
from patchloom.ir.ops.matmul import MatMul
from patchloom.ir.ops.mean import Mean
from patchloom.ir.ops.mul import Mul
from patchloom.ir.ops.quantize import Quantize
from patchloom.ir.ops.softmax import Softmax
from patchloom.ir.rounding import Rounding

pytest.importorskip("onnxruntime")

Operator = Callable[..., Any]


@dataclass
class Case:
    """Random quantizations of one type, and a net to put an operator in."""

    rng: np.random.Generator
    stored: type[np.integer]

    def __post_init__(self) -> None:
        self.net = Net()
        self.kind = UINT8 if self.stored is np.uint8 else INT8
        self.dtype = DType.UINT8 if self.stored is np.uint8 else DType.INT8
        info = np.iinfo(self.stored)
        self.low, self.high = int(info.min), int(info.max)

    def scale(self, low: float = 0.005, high: float = 0.5) -> np.float32:
        if self.rng.integers(2):
            return np.float32(2.0 ** np.round(np.log2(self.rng.uniform(low, high))))
        return np.float32(self.rng.uniform(low, high))

    def quant(self, scale: np.float32 | None = None) -> Quant:
        chosen = self.scale() if scale is None else scale
        return Quant((float(chosen),), (int(self.rng.integers(self.low, self.high + 1)),))

    def data(self, *shape: int) -> np.ndarray:
        return self.rng.integers(self.low, self.high + 1, shape).astype(self.stored)

    def parameters(self, quant: Quant) -> tuple[str, str]:
        return self.net.constant(np.float32(quant.s)), self.net.constant(self.stored(quant.z))

    def tensor(self, name: str, shape: tuple[int, ...], quant: Quant) -> Tensor:
        return Tensor(name, shape, self.dtype, quant)

    def outside(self, y: str, feeds: dict[str, np.ndarray]) -> np.ndarray:
        """onnxruntime's answer; it refuses int8 products with its option for exact ones."""
        self.net.output(y, self.kind)
        precise = self.stored is np.uint8
        return np.asarray(session(self.net.model(), precise).run(None, feeds)[0])


def answer(op: Op, tensors: list[Tensor], *inputs: np.ndarray) -> np.ndarray:
    (y,) = op.reference({t.name: t for t in tensors}, *inputs)
    return np.asarray(y)


@pytest.fixture(params=[np.uint8, np.int8], ids=["uint8", "int8"])
def stored(request: pytest.FixtureRequest) -> type[np.integer]:
    return request.param  # type: ignore[no-any-return]


@pytest.mark.parametrize("kind", [Add, Mul], ids=["add", "mul"])
def test_sums_and_products_of_all_pairs_of_bytes(
    kind: type[Add] | type[Mul], stored: type[np.integer]
) -> None:
    for seed in range(12):
        case = Case(np.random.default_rng(seed), stored)
        values = np.arange(case.low, case.high + 1).astype(stored)
        a, b = (grid.ravel() for grid in np.meshgrid(values, values))
        qa, qb = case.quant(), case.quant()
        qy = case.quant(np.float32(qa.s * qb.s * 64) if kind is Mul and seed % 2 else case.scale(0.01, 1.0))
        operands = [case.net.input(n, case.kind, a.shape) for n in "ab"]
        inputs = [operands[0], *case.parameters(qa), operands[1], *case.parameters(qb), *case.parameters(qy)]
        y = case.net.add(f"QLinear{kind.__name__}", *inputs, domain="com.microsoft")
        tensors = [case.tensor(n, a.shape, q) for n, q in (("a", qa), ("b", qb), ("y", qy))]
        op = kind("op", "a", "b", "y", rounding=Rounding.ONNX_F32)
        np.testing.assert_array_equal(answer(op, tensors, a, b), case.outside(y, {"a": a, "b": b}))


def test_the_shift_from_uint8_to_int8_keeps_sums_and_products() -> None:
    values = np.arange(256).astype(np.uint8)
    a, b = (grid.ravel() for grid in np.meshgrid(values, values))
    for seed in range(20):
        case = Case(np.random.default_rng(seed), np.uint8)
        quants = [case.quant(), case.quant(), case.quant(case.scale(0.01, 1.0))]
        plain = [case.tensor(n, a.shape, q) for n, q in zip("aby", quants, strict=True)]
        shifted = [
            Tensor(t.name, t.shape, DType.INT8, Quant((t.quant.s,), (t.quant.z - 128,)))
            for t in plain
            if t.quant
        ]
        a8, b8 = ((v ^ 0x80).view(np.int8) for v in (a, b))
        for kind in (Add, Mul):
            want = answer(kind("op", "a", "b", "y", rounding=Rounding.ONNX_F32), plain, a, b)
            got = answer(kind("op", "a", "b", "y", rounding=Rounding.ONNX_F32_U8), shifted, a8, b8)
            np.testing.assert_array_equal(got + 128, want)


def weights(case: Case, outputs: int, *shape: int) -> tuple[np.ndarray, np.ndarray, Quant]:
    """(weights [outputs, shape], biases, quantization): one scale, or one per output."""
    q = case.rng.integers(-127, 128, (outputs, *shape)).astype(np.int8)
    bias = case.rng.integers(-20000, 20001, outputs).astype(np.int32)
    count = int(case.rng.choice([1, outputs]))
    scales = tuple(float(case.scale(0.001, 0.05)) for _ in range(count))
    return q, bias, Quant(scales, (0,) * count, 0 if count > 1 else None)


def weight_parameters(case: Case, quant: Quant) -> tuple[str, str]:
    scale, zero = np.array(quant.scale, np.float32), np.zeros(len(quant.scale), np.int8)
    shape = (-1,) if quant.per_axis else ()
    return case.net.constant(scale.reshape(shape)), case.net.constant(zero.reshape(shape))


def test_convolutions(stored: type[np.integer]) -> None:
    for seed in range(12):
        case = Case(np.random.default_rng(seed), stored)
        q, bias, wq = weights(case, 6, 5, 3, 3)
        x, xq = case.data(1, 5, 7, 6), case.quant()
        yq = case.quant(case.scale(20 * xq.s * max(wq.scale), 200 * xq.s * max(wq.scale)))
        name = case.net.input("x", case.kind, x.shape)
        constants = case.net.constant(q), *weight_parameters(case, wq), *case.parameters(yq)
        inputs = [name, *case.parameters(xq), *constants, case.net.constant(bias)]
        y = case.net.add("QLinearConv", *inputs, pads=[1] * 4)
        last = np.ascontiguousarray(q.transpose(0, 2, 3, 1))
        tensors = [
            case.tensor("x", (1, 7, 6, 5), xq),
            Tensor("w", last.shape, DType.INT8, wq, last),
            Tensor("b", (6,), DType.INT32, None, bias),
            case.tensor("y", (1, 7, 6, 6), yq),
        ]
        window = Window((3, 3), padding=((1, 1), (1, 1)))
        op = Conv2D("op", "x", "w", "b", "y", window, rounding=Rounding.ONNX_F32)
        got = answer(op, tensors, np.ascontiguousarray(x.transpose(0, 2, 3, 1)), last, bias)
        np.testing.assert_array_equal(got.transpose(0, 3, 1, 2), case.outside(y, {"x": x}))


@pytest.mark.parametrize("biased", [False, True], ids=["QLinearMatMul", "QGemm"])
def test_matrix_products(biased: bool, stored: type[np.integer]) -> None:
    for seed in range(12):
        case = Case(np.random.default_rng(seed), stored)
        q, bias, wq = weights(case, 8, 30)
        x, xq = case.data(9, 30), case.quant()
        yq = case.quant(case.scale(20 * xq.s * max(wq.scale), 200 * xq.s * max(wq.scale)))
        name = case.net.input("x", case.kind, x.shape)
        inputs = [name, *case.parameters(xq), case.net.constant(np.ascontiguousarray(q.T))]
        inputs += weight_parameters(case, wq)
        if biased:
            inputs += [case.net.constant(bias), *case.parameters(yq)]
            y = case.net.add("QGemm", *inputs, domain="com.microsoft", alpha=1.0, transA=0, transB=0)
        else:
            y = case.net.add("QLinearMatMul", *inputs, *case.parameters(yq))
        tensors = [
            case.tensor("x", x.shape, xq),
            Tensor("w", q.shape, DType.INT8, wq, q),
            Tensor("b", (8,), DType.INT32, None, bias),
            case.tensor("y", (9, 8), yq),
        ]
        op = FullyConnected("op", "x", "w", "b" if biased else None, "y", rounding=Rounding.ONNX_F32)
        got = answer(op, tensors, x, q, *([bias] if biased else []))
        np.testing.assert_array_equal(got, case.outside(y, {"x": x}))


def test_products_of_two_computed_matrices(stored: type[np.integer]) -> None:
    for seed in range(12):
        case = Case(np.random.default_rng(seed), stored)
        a, b, aq, bq = case.data(3, 9, 20), case.data(3, 20, 7), case.quant(), case.quant()
        yq = case.quant(case.scale(100 * aq.s * bq.s, 2000 * aq.s * bq.s))
        inputs = []
        for name, x, q in (("a", a, aq), ("b", b, bq)):
            inputs += [case.net.input(name, case.kind, x.shape), *case.parameters(q)]
        y = case.net.add("QLinearMatMul", *inputs, *case.parameters(yq))
        tensors = [case.tensor(n, v.shape, q) for n, v, q in (("a", a, aq), ("b", b, bq))]
        tensors.append(case.tensor("y", (3, 9, 7), yq))
        op = MatMul("op", "a", "b", "y", rounding=Rounding.ONNX_F32)
        np.testing.assert_array_equal(answer(op, tensors, a, b), case.outside(y, {"a": a, "b": b}))


def test_average_poolings(stored: type[np.integer]) -> None:
    for seed in range(12):
        case = Case(np.random.default_rng(seed), stored)
        x, xq = case.data(1, 16, 9, 8), case.quant()
        yq = xq if seed % 2 else case.quant()
        kernel = [int(k) for k in case.rng.integers(1, 4, 2)]
        pad = int(case.rng.integers(0, min(kernel)))
        inputs = [case.net.input("x", case.kind, x.shape), *case.parameters(xq), *case.parameters(yq)]
        attributes = {"kernel_shape": kernel, "pads": [pad] * 4, "strides": [1, 1]}
        y = case.net.add("QLinearAveragePool", *inputs, domain="com.microsoft", **attributes)
        window = Window((kernel[0], kernel[1]), padding=((pad, pad), (pad, pad)))
        op = AveragePool2D("op", "x", "y", window, rounding=Rounding.ONNX_F32)
        tensors = [case.tensor("x", (1, 9, 8, 16), xq), case.tensor("y", (), yq)]
        got = answer(op, tensors, np.ascontiguousarray(x.transpose(0, 2, 3, 1)))
        np.testing.assert_array_equal(got.transpose(0, 3, 1, 2), case.outside(y, {"x": x}))


def test_global_average_poolings(stored: type[np.integer]) -> None:
    for seed in range(12):
        case = Case(np.random.default_rng(seed), stored)
        x, xq, yq = case.data(1, 40, 5, 4), case.quant(), case.quant()
        inputs = [case.net.input("x", case.kind, x.shape), *case.parameters(xq), *case.parameters(yq)]
        y = case.net.add("QLinearGlobalAveragePool", *inputs, domain="com.microsoft")
        op = Mean("op", "x", "y", (2, 3), True, rounding=Rounding.ONNX_F32)
        tensors = [case.tensor("x", x.shape, xq), case.tensor("y", (), yq)]
        np.testing.assert_array_equal(answer(op, tensors, x), case.outside(y, {"x": x}))


@pytest.mark.parametrize("fixed", [False, True], ids=["any_scale", "one_over_256"])
def test_softmax(fixed: bool, stored: type[np.integer]) -> None:
    for seed in range(12):
        case = Case(np.random.default_rng(seed), stored)
        x, xq = case.data(20, int(case.rng.integers(2, 40))), case.quant()
        yq = Quant((1 / 256,), (case.low,)) if fixed else case.quant()
        inputs = [case.net.input("x", case.kind, x.shape), *case.parameters(xq), *case.parameters(yq)]
        y = case.net.add("QLinearSoftmax", *inputs, domain="com.microsoft", opset=13, axis=-1)
        tensors = [case.tensor("x", x.shape, xq), case.tensor("y", x.shape, yq)]
        got = answer(Softmax("op", "x", "y", rounding=Rounding.ONNX_F32), tensors, x)
        # onnxruntime's int8 results above 127 wrap to negative ones: they are left out.
        kept = got < 127 if stored is np.int8 else np.full(got.shape, True)
        np.testing.assert_array_equal(got[kept], case.outside(y, {"x": x})[kept])


def test_requantization(stored: type[np.integer]) -> None:
    for seed in range(12):
        case = Case(np.random.default_rng(seed), stored)
        x, xq, yq = np.arange(case.low, case.high + 1).astype(stored), case.quant(), case.quant()
        inputs = [*case.parameters(yq), case.net.input("x", case.kind, x.shape), *case.parameters(xq)]
        y = case.net.add("QLinearConcat", *inputs, domain="com.microsoft", axis=0)
        tensors = [case.tensor("x", x.shape, xq), case.tensor("y", x.shape, yq)]
        op = Quantize("op", "x", "y", rounding=Rounding.ONNX_F32)
        np.testing.assert_array_equal(answer(op, tensors, x), case.outside(y, {"x": x}))


def test_quantization_of_floats_ties_included(stored: type[np.integer]) -> None:
    for seed in range(12):
        case = Case(np.random.default_rng(seed), stored)
        yq = case.quant()
        steps = np.concatenate([np.arange(-300, 300) + 0.5, case.rng.normal(size=400) * 90])
        x = np.concatenate([steps * yq.s, [0.0, -0.0, 1e30, -1e30, np.inf, -np.inf]]).astype(np.float32)
        y = case.net.add("QuantizeLinear", case.net.input("x", FLOAT, x.shape), *case.parameters(yq))
        tensors = [Tensor("x", x.shape, DType.FLOAT32), case.tensor("y", x.shape, yq)]
        op = Quantize("op", "x", "y", rounding=Rounding.ONNX_F32)
        np.testing.assert_array_equal(answer(op, tensors, x), case.outside(y, {"x": x}))
