"""Pooling and mean: examples worked out by hand, and every rule."""

from __future__ import annotations

import pytest
from op_support import F32, I8, I16, rules, run, table, tensor
from patchloom.ir import Activation, DType, Op, Tensor, Window
from patchloom.ir.ops.average_pool2d import AveragePool2D
from patchloom.ir.ops.max_pool2d import MaxPool2D
from patchloom.ir.ops.mean import Mean


def image(dtype: DType, *shape: int, scale: float | None = 0.5, zero_point: int = 0) -> tuple[Tensor, Tensor]:
    """(x, y) of one type and quantization; y's shape is inferred by the op."""
    scale = None if dtype is F32 else scale
    return tensor("x", dtype, shape, scale, zero_point), tensor("y", dtype, (), scale, zero_point)


def test_average_pool_rounds_half_away_from_zero() -> None:
    op = AveragePool2D("p", "x", "y", Window((1, 2), (1, 2)))
    # means 1.5, -1.5, 0.5, 2
    assert run(op, image(I8, 1, 1, 8, 1), [1, 2, -1, -2, 0, 1, 2, 2]) == [2, -2, 1, 2]


def test_average_pool_counts_only_elements_inside() -> None:
    window = Window((3, 3), (1, 1), padding=((1, 1), (1, 1)))
    assert run(AveragePool2D("p", "x", "y", window), image(I16, 1, 2, 2, 1), [4, 8, 12, 16]) == [
        10,
        10,
        10,
        10,
    ]
    assert run(AveragePool2D("p", "x", "y", window), image(F32, 1, 1, 2, 1), [1, 2]) == [1.5, 1.5]


def test_max_pool_ignores_padding() -> None:
    window = Window((2, 2), (1, 1), padding=((0, 1), (0, 1)))
    assert run(MaxPool2D("p", "x", "y", window), image(I8, 1, 2, 2, 1), [-9, -8, -7, -6]) == [-6, -6, -6, -6]
    assert run(MaxPool2D("p", "x", "y", window), image(F32, 1, 2, 2, 1), [-9, -1, -7, -6]) == [-1, -1, -6, -6]


def test_channels_are_pooled_apart() -> None:
    op = MaxPool2D("p", "x", "y", Window((1, 2), (1, 2)))
    assert run(op, image(I8, 1, 1, 2, 2), [1, 20, 3, 4]) == [3, 20]


@pytest.mark.parametrize("pool", [AveragePool2D, MaxPool2D])
def test_pooling_applies_its_activation(pool: type[Op]) -> None:
    op = pool("p", "x", "y", Window((1, 1)), Activation.RELU6)  # type: ignore[call-arg]
    assert run(op, image(I8, 1, 1, 3, 1, zero_point=2), [0, 5, 100]) == [2, 5, 14]


def test_mean_centres_before_it_scales() -> None:
    x, y = tensor("x", I8, (1, 2, 2, 2), 0.5, -10), tensor("y", I8, (), 0.25, 5)
    # channel 0: stored 0, 2, 4, 6 -> mean 3 -> real 6.5 -> 26 + 5; channel 1: all -10 -> 0 -> 5
    op = Mean("m", "x", "y", (1, 2), keep_dims=False)
    assert run(op, (x, y), [0, -10, 2, -10, 4, -10, 6, -10]) == [31, 5]


def test_mean_reduces_any_axes() -> None:
    x, y = tensor("x", F32, (2, 3)), tensor("y", F32)
    assert run(Mean("m", "x", "y", (0,), keep_dims=False), (x, y), [1, 2, 3, 5, 6, 7]) == [3, 4, 5]
    assert run(Mean("m", "x", "y", (0, 1), keep_dims=True), (x, y), [1, 2, 3, 5, 6, 7]) == [4]


@pytest.mark.parametrize(("keep_dims", "shape"), [(True, (1, 1, 1, 5)), (False, (1, 5))])
def test_mean_keeps_dimensions_where_asked(keep_dims: bool, shape: tuple[int, ...]) -> None:
    x, y = image(I8, 1, 4, 3, 5)
    assert Mean("m", "x", "y", (1, 2), keep_dims).infer(table(x, y)) == (shape,)


IMAGE = image(I8, 1, 4, 4, 2)
BROKEN = [
    (MaxPool2D("p", "x", "y", Window((2, 2))), image(I8, 4, 4, 2), "input must be [1,H,W,C]"),
    (MaxPool2D("p", "x", "y", Window((2, 2), dilation=(2, 2))), IMAGE, "integers has no dilation"),
    (
        MaxPool2D("p", "x", "y", Window((2, 1), dilation=(3, 1), padding=((2, 2), (0, 0)))),
        image(F32, 1, 1, 4, 2),
        "must meet the input everywhere",
    ),
    (MaxPool2D("p", "x", "y", Window((2, 2), padding=((2, 0), (0, 0)))), IMAGE, "padding must be smaller"),
    (AveragePool2D("p", "x", "y", Window((5, 5))), IMAGE, "must fit the padded input"),
    (
        AveragePool2D("p", "x", "y", Window((2, 2))),
        (IMAGE[0], tensor("y", I8, (), 0.25)),
        "same quantization",
    ),
    (AveragePool2D("p", "x", "y", Window((2, 2))), (IMAGE[0], tensor("y", I16, (), 0.5)), "the input's type"),
    (
        AveragePool2D("p", "x", "y", Window((256, 256))),
        image(I16, 1, 256, 256, 1),
        "sums of a window must fit 32 bits",
    ),
    (Mean("m", "x", "y", (), keep_dims=True), IMAGE, "axes must be ascending"),
    (Mean("m", "x", "y", (2, 1), keep_dims=True), IMAGE, "axes must be ascending"),
    (Mean("m", "x", "y", (4,), keep_dims=True), IMAGE, "axes must be ascending"),
    (Mean("m", "x", "y", (1, 2), keep_dims=True), (IMAGE[0], tensor("y", I8)), "needs quantization"),
    (Mean("m", "x", "y", (1, 2), keep_dims=True), image(I16, 1, 256, 256, 1), "sums must stay below 2^30"),
]


@pytest.mark.parametrize(("op", "tensors", "rule"), BROKEN, ids=[f"{b[0].kind()}: {b[2]}" for b in BROKEN])
def test_a_broken_rule_is_reported(op: Op, tensors: tuple[Tensor, Tensor], rule: str) -> None:
    assert any(rule in text for text in rules(op, *tensors)), rules(op, *tensors)


@pytest.mark.parametrize(
    "op",
    [
        MaxPool2D("p", "x", "y", Window((2, 2))),
        AveragePool2D("p", "x", "y", Window((3, 3), padding=((1, 1), (1, 1)))),
        Mean("m", "x", "y", (1, 2), keep_dims=True),
    ],
    ids=lambda op: op.kind(),
)
def test_a_sound_op_breaks_no_rule(op: Op) -> None:
    assert rules(op, *IMAGE) == []
