"""Resize: equal to ONNX's reference in every mode, and every rule. C is compared in test_operators.py."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from onnx_oracle import onnx_node
from op_support import rules
from patchloom.ir import DType, Quant, Tensor, evaluate
from patchloom.ir.cases import one_op_graph
from patchloom.ir.interpolation import COORDINATES, NEAREST, Axis, Interpolation, taps
from patchloom.ir.ops.resize import Resize
from patchloom.ir.ops.resize_bilinear import ResizeBilinear
from patchloom.ir.ops.resize_nearest import ResizeNearest

RNG = np.random.default_rng(5)
ROI = ((-0.125, 0.75), (0.25, 1.25))
SIZES = (
    ((4, 5), (7, 10), (1.75, 2.0625)),
    ((6, 7), (3, 4), (0.5, 0.625)),
    ((3, 3), (3, 2), (1.0, 0.6875)),
    ((2, 8), (9, 5), (4.625, 0.6875)),
)
"""Input size, output size and scales, some of which leave a fraction."""

WHOLE = (((4, 6), (8, 18), (2.0, 3.0)), ((6, 8), (3, 4), (0.5, 0.5)))


def ours(x: np.ndarray, size: tuple[int, int], scales: tuple[float, float], how: Interpolation) -> np.ndarray:
    """[H,W,C] resized by the op."""
    tensors = [Tensor("x", (1, *x.shape), DType.FLOAT32), Tensor("y", (), DType.FLOAT32)]
    graph = one_op_graph(Resize("r", "x", "y", size, scales, how, ROI), tensors)
    return np.asarray(evaluate(graph, {"x": x[None]})["y"][0])


def onnx(x: np.ndarray, scales: tuple[float, float], how: Interpolation, runtime: bool) -> np.ndarray:
    """The same by ONNX's node, on [1,C,H,W]."""
    crop = how.coordinates == "tf_crop_and_resize"
    roi = np.array([0, 0, ROI[0][0], ROI[1][0], 1, 1, ROI[0][1], ROI[1][1]], np.float32)
    inputs = {
        "X": np.ascontiguousarray(x.transpose(2, 0, 1))[None],
        "roi": roi if crop else None,
        "scales": np.array([1, 1, *scales], np.float32),
    }
    attributes = {
        "mode": how.mode,
        "coordinate_transformation_mode": how.coordinates,
        "nearest_mode": how.nearest,
        "cubic_coeff_a": how.cubic_a,
        "exclude_outside": int(how.exclude_outside),
        "antialias": int(how.antialias),
        "extrapolation_value": how.extrapolation,
    }
    (y,) = onnx_node("Resize", inputs, ["y"], runtime, opset=19, **attributes)
    return np.asarray(y[0].transpose(1, 2, 0))


@pytest.mark.parametrize("coordinates", COORDINATES)
@pytest.mark.parametrize("sizes", SIZES, ids=lambda s: f"{s[0]}-{s[1]}")
def test_linear_and_cubic_are_those_of_onnx(
    sizes: tuple[tuple[int, int], tuple[int, int], tuple[float, float]], coordinates: str
) -> None:
    before, after, scales = sizes
    x = RNG.normal(size=(*before, 2)).astype(np.float32)
    for mode, outside, antialias in product(("linear", "cubic"), (False, True), (False, True)):
        how = Interpolation(mode, coordinates, "floor", -0.6, outside, antialias, 7.5)
        want = onnx(x, scales, how, runtime=False)
        np.testing.assert_allclose(ours(x, after, scales, how), want, atol=2e-5, err_msg=str(how))


@pytest.mark.parametrize("coordinates", COORDINATES)
@pytest.mark.parametrize("nearest", NEAREST)
def test_nearest_neighbours_are_those_of_onnx(nearest: str, coordinates: str) -> None:
    # Where lengths have a fraction, the offset of half_pixel_symmetric is rounded, and with it ties.
    for before, after, scales in WHOLE if coordinates == "half_pixel_symmetric" else SIZES:
        x = RNG.normal(size=(*before, 2)).astype(np.float32)
        how = Interpolation("nearest", coordinates, nearest, extrapolation=-3.0)
        np.testing.assert_array_equal(ours(x, after, scales, how), onnx(x, scales, how, runtime=False))


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("coordinates", COORDINATES[:5])
def test_onnxruntime_agrees_where_scales_are_whole(mode: str, coordinates: str) -> None:
    """With a fraction, align_corners takes the whole length there and the scaled one in ONNX's reference."""
    x = RNG.normal(size=(4, 6, 3)).astype(np.float32)
    for size, scales in (((8, 18), (2.0, 3.0)), ((2, 3), (0.5, 0.5))):
        how = Interpolation(mode, coordinates)
        want = onnx(x, scales, how, runtime=True)
        np.testing.assert_allclose(ours(x, size, scales, how), want, atol=2e-5)


@pytest.mark.parametrize(
    ("coordinates", "flags"),
    [("half_pixel", (False, True)), ("align_corners", (True, False)), ("asymmetric", (False, False))],
)
def test_the_ways_tflite_has_give_what_its_operators_give(coordinates: str, flags: tuple[bool, bool]) -> None:
    x = RNG.normal(size=(5, 4, 2)).astype(np.float32)
    tensors = [Tensor("x", (1, 5, 4, 2), DType.FLOAT32), Tensor("y", (), DType.FLOAT32)]
    bilinear = one_op_graph(ResizeBilinear("r", "x", "y", (10, 7), *flags), tensors)
    got = ours(x, (10, 7), (2.0, 1.75), Interpolation("linear", coordinates))
    np.testing.assert_allclose(got, evaluate(bilinear, {"x": x[None]})["y"][0], atol=1e-5)
    if coordinates != "align_corners":
        nearest = one_op_graph(ResizeNearest("r", "x", "y", (10, 8), *flags), tensors)
        how = Interpolation("nearest", coordinates, "round_prefer_ceil" if flags[1] else "floor")
        want = evaluate(nearest, {"x": x[None]})["y"][0]
        np.testing.assert_array_equal(ours(x, (10, 8), (2.0, 2.0), how), want)


def test_one_output_is_the_first_element_for_pytorch_and_the_middle_for_others() -> None:
    x = np.arange(5, dtype=np.float32).reshape(1, 5, 1)
    for coordinates, want in (("pytorch_half_pixel", 0), ("half_pixel", 2), ("align_corners", 0)):
        how = Interpolation("linear", coordinates)
        assert ours(x, (1, 1), (1.0, 0.2), how) == onnx(x, (1.0, 0.2), how, runtime=True) == want


def test_a_linear_filter_has_two_taps_and_weights_that_sum_to_one() -> None:
    index, weights = taps(Axis(4, 8, 2.0), Interpolation("linear", "half_pixel"))
    assert index.tolist() == [[0, 0], [0, 1], [0, 1], [1, 2], [1, 2], [2, 3], [2, 3], [3, 3]]
    np.testing.assert_allclose(weights.sum(axis=1), 1)


X = Tensor("x", (1, 4, 4, 2), DType.FLOAT32)
OP = Resize("r", "x", "y", (8, 8), (2.0, 2.0), Interpolation())
LINEAR = replace(OP, how=Interpolation("linear"))
QUANT = Quant((0.5,), (1,))


@pytest.mark.parametrize(
    ("op", "x", "y", "rule"),
    [
        (OP, replace(X, shape=(4, 4, 2)), X, "[1,H,W,C]"),
        (replace(OP, size=(0, 8)), X, X, "sizes must be"),
        (replace(OP, size=(8, 40000)), X, X, "sizes must be"),
        (replace(OP, scales=(0.0, 2.0)), X, X, "scales must be positive"),
        (replace(OP, how=Interpolation("area")), X, X, "modes known"),
        (replace(OP, how=Interpolation("linear", "middle")), X, X, "modes known"),
        (replace(OP, how=Interpolation("nearest", nearest="random")), X, X, "modes known"),
        (replace(OP, how=Interpolation("nearest", antialias=True)), X, X, "neither antialias"),
        (OP, X, replace(X, dtype=DType.INT8), "the input's type"),
        (OP, replace(X, dtype=DType.INT8, quant=QUANT), replace(X, dtype=DType.INT8), "same quantization"),
        (LINEAR, replace(X, dtype=DType.INT8), replace(X, dtype=DType.INT8), "must be float32"),
    ],
)
def test_a_broken_rule_is_reported(op: Resize, x: Tensor, y: Tensor, rule: str) -> None:
    assert any(rule in text for text in rules(op, x, replace(y, name="y")))
    assert rules(LINEAR, X, replace(X, name="y")) == []
