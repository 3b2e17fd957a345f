"""fold_constant_channels: equality of results on random graphs and on whole models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from channel_folds import assert_folds, costs, data
from channel_nets import channel_net
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from nets import samples
from patchloom.errors import UnsupportedModel
from patchloom.frontend import load
from patchloom.ir import DType, check_rules, evaluate, verify
from patchloom.ir.ops.depthwise_conv2d import DepthwiseConv2D
from patchloom.ir.weighted import WeightedOp, centred_weights
from patchloom.passes import canonicalize, fold_constant_channels
from strategies import HypothesisDraw


@pytest.mark.parametrize("dtype", [DType.INT8, DType.INT16], ids=lambda d: d.value)
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(random=st.data())
def test_results_stay_equal_on_random_graphs(dtype: DType, random: st.DataObject) -> None:
    graph = channel_net(HypothesisDraw(random.draw), dtype)
    if random.draw(st.booleans()):
        graph = canonicalize(graph)
    try:
        check_rules(graph)
    except UnsupportedModel:
        assume(False)
    assert_folds(graph, fold_constant_channels(graph))


FIGURES = {
    "vww_96_int8": (7_489_664, 3_727_313, 208_112, 29_066),
    "mcunet_vww": (11_578_816, 10_931_325, 420_520, 394_626),
    "chain_mcunet_vww5_r80": (11_578_496, 11_540_135, 420_200, 419_201),
    "chain_mbv2_w035_r144": (18_909_490, 18_881_623, 280_140, 279_638),
    "chain_mcunet_320k_r176": (81_625_520, 81_600_739, 561_032, 560_758),
    "mcunet_in3_r176": (81_785_520, 81_785_520, 721_032, 721_032),
    "mbv2_w035_r144": (23_499_152, 23_499_152, 736_864, 736_864),
    "mbv2_w100_r224": (300_774_272, 300_774_272, 3_469_760, 3_469_760),
    "hello_world_int8": (288, 220, 288, 220),
    "kws_ref_model": (2_656_768, 2_656_768, 22_016, 22_016),
    "pretrainedResnet_quant": (12_501_632, 12_501_632, 77_360, 77_360),
    "ad01_int8": (264_192, 264_192, 264_192, 264_192),
    "str_ww_ref_model": (826_368, 826_368, 46_040, 46_040),
    "micro_speech_quantized": (336_000, 336_000, 16_640, 16_640),
}
"""MACs before and after, bytes of weights before and after: the table of docs/constant_channels.md."""


@pytest.mark.parametrize("model", FIGURES)
def test_models_shrink_by_the_documented_figures_and_stay_bit_exact(model: str, shared_models: Path) -> None:
    before = canonicalize(load(shared_models / f"{model}.tflite"))
    after = fold_constant_channels(before)
    (old_macs, old_weights, _), (macs, weights, _) = costs(before), costs(after)
    assert (old_macs, macs, old_weights, weights) == FIGURES[model]
    check_rules(verify(after))
    if after is before:
        return
    (sample,) = samples(before, 1)
    want, got = evaluate(before, sample), evaluate(after, sample)
    assert all(np.array_equal(got[y], want[y]) for y in before.outputs)


@pytest.mark.parametrize("model", [m for m in FIGURES if m != "hello_world_int8"])
def test_too_few_blocks_of_zeros_and_no_equal_channels_are_left(model: str, shared_models: Path) -> None:
    """Why no kernel skips zeros and no channels are merged: docs/constant_channels.md."""
    after = fold_constant_channels(canonicalize(load(shared_models / f"{model}.tflite")))
    blocks = zeros = 0
    for op in after.ops:
        if not isinstance(op, WeightedOp):
            continue
        rows = np.moveaxis(centred_weights(after[op.weights]), op.CHANNEL_AXIS, 0)
        rows = rows.reshape(rows.shape[0], -1)
        bias = np.array(data(after, op.bias)) if op.bias else np.zeros(len(rows))
        source = np.arange(len(rows)) * (after[op.x].shape[-1] if isinstance(op, DepthwiseConv2D) else 0)
        keys = np.column_stack([rows, bias, op.real_scales(after.tensors), source // len(rows)])
        assert len(np.unique(keys, axis=0)) == len(rows), f"{op.name} has equal channels"
        if not isinstance(op, DepthwiseConv2D):
            pairs = rows[: len(rows) // 2 * 2].reshape(-1, 2, rows.shape[1])
            blocks, zeros = blocks + pairs[:, 0].size, zeros + int((~pairs.any(axis=1)).sum())
    assert zeros <= (0.021 if model == "ad01_int8" else 0.0044) * blocks
