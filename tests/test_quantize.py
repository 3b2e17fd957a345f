"""Post-training quantization: graphs that come out are valid, close to the float ones, and right in TFLM."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from nets import random_net
from patchloom.ir import DType, Graph, evaluate, verify
from patchloom.ir.cases import RandomDraw
from patchloom.ir.ops.mean import Mean
from patchloom.passes import canonicalize
from patchloom.passes.quantize import (
    OBSERVERS,
    Techniques,
    layer_noise,
    logits_of,
    logits_sqnr,
    quantize_graph,
    samples_of,
)
from patchloom.passes.quantize.convert import real
from patchloom.passes.quantize.equalise import equalise
from patchloom.passes.quantize.mean_pool import pools_to_means
from patchloom.passes.quantize.reconstruct import Moments, least_output_error
from patchloom.passes.quantize.runner import run
from patchloom.passes.quantize.statistics import collect_extremes
from patchloom.passes.quantize.weights import nearest
from patchloom.quantization import quantize
from quantize_nets import classifier, images, varied

PLAIN = Techniques(bias_correction=False, equalisation=False, rounding="nearest", mean_pooling=False)


def noise(graph: Graph, techniques: Techniques, calibration: int = 24) -> float:
    """SQNR in decibels of the logits on inputs that did not calibrate."""
    graph = canonicalize(graph)
    result = quantize_graph(graph, samples_of(graph, images(calibration, 1, graph)), techniques)
    tests = samples_of(graph, images(24, 2, graph))
    layers = layer_noise(result.float_graph, result.graph, result.stored, tests)
    found = logits_sqnr(layers, result.float_graph)
    assert found is not None
    return found


@pytest.mark.parametrize("observer", sorted(OBSERVERS))
def test_every_observer_keeps_the_logits_of_a_small_network(observer: str) -> None:
    assert noise(classifier(), replace(PLAIN, observer=observer)) > 20.0


def mean_error(techniques: Techniques, value: str) -> float:
    """Largest error of a channel's mean over the calibration data."""
    graph = canonicalize(classifier())
    samples = samples_of(graph, images(24, 1, graph))
    result = quantize_graph(graph, samples, techniques)
    quant = result.graph[result.stored[value]].quant
    assert quant
    sums = 0.0
    for sample in samples:
        exact = evaluate(result.float_graph, sample)[value]
        stored = evaluate(result.graph, sample)[result.stored[value]]
        sums = sums + (exact - real(stored, quant)).mean(axis=(0, 1, 2))
    return float(np.abs(sums).max()) / len(samples)


def test_bias_correction_lowers_the_error_of_channel_means() -> None:
    corrected = mean_error(replace(PLAIN, bias_correction=True), "conv_2_y")
    assert corrected < 0.5 * mean_error(PLAIN, "conv_2_y")


def test_adaptive_rounding_has_less_output_error_than_rounding_to_nearest() -> None:
    rng = np.random.default_rng(0)
    taps = rng.normal(size=(1, 400, 6)) @ rng.normal(size=(6, 20)) + 0.1 * rng.normal(size=(1, 400, 20)) + 1.0
    wanted = rng.normal(size=(1, 8, 20)) * 3
    moments = Moments.zeros(1, 20, second=True)
    moments.add(taps, taps)
    for centred in (False, True):
        seen = taps - taps.mean(axis=1, keepdims=True) if centred else taps
        errors = [
            float((((q - wanted) @ seen.transpose(0, 2, 1)) ** 2).sum())
            for q in (least_output_error(wanted, moments, centred), nearest(wanted))
        ]
        assert errors[0] < 0.3 * errors[1]


def test_a_mean_with_its_own_scale_lowers_the_noise() -> None:
    assert noise(classifier(), replace(PLAIN, mean_pooling=True)) > noise(classifier(), PLAIN)


def test_equalisation_helps_where_channel_ranges_differ_and_never_changes_the_float_network() -> None:
    graph = canonicalize(classifier())
    scale = np.array([1.0, 20.0, 1.0, 0.3, 8.0, 1.0, 0.05, 1.0], np.float32)
    w, b, dw = (graph[n].data for n in ("conv_1_w", "conv_1_b", "dw_w"))
    assert w is not None and b is not None and dw is not None
    chain = graph.rewritten(
        [op for op in graph.ops if op.name in ("conv_1", "dw", "conv_2")], outputs=("conv_2_y",)
    )
    uneven = chain.rewritten(
        chain.ops,
        [
            replace(graph["conv_1_w"], data=w * scale[:, None, None, None]),
            replace(graph["conv_1_b"], data=b * scale),
            replace(graph["dw_w"], data=dw / scale),
        ],
    )
    samples = samples_of(uneven, images(8, 1, uneven))
    even, _ = equalise(uneven, collect_extremes(uneven, samples, lambda *a: None))
    for sample in samples:
        a, b_ = (evaluate(g, sample)["conv_2_y"] for g in (uneven, even))
        np.testing.assert_allclose(a, b_, rtol=1e-4, atol=1e-5)
    assert noise(uneven, replace(PLAIN, equalisation=True)) > noise(uneven, PLAIN) + 3.0


def test_fast_float_execution_equals_the_reference_up_to_rounding() -> None:
    for seed in range(30):
        graph = random_net(RandomDraw(seed), DType.FLOAT32)
        rng = np.random.default_rng(seed)
        sample = {n: rng.normal(size=graph[n].shape).astype(np.float32) for n in graph.inputs}
        exact = evaluate(graph, sample)
        compared = []

        def compare(op: object, values: dict, exact: dict = exact, compared: list = compared) -> None:
            for y in op.outputs:  # type: ignore[attr-defined]
                np.testing.assert_allclose(values[y], exact[y], rtol=1e-3, atol=1e-3)
                compared.append(y)

        run(graph, sample, {}, compare)  # type: ignore[arg-type]
        assert len(compared) >= len(graph.ops)


def test_global_pools_become_means_with_a_scale_of_their_own() -> None:
    graph = pools_to_means(canonicalize(classifier()))
    assert [type(op) for op in graph.ops].count(Mean) == 1
    sample = samples_of(graph, images(1, 3, graph))[0]
    np.testing.assert_allclose(
        evaluate(graph, sample)["probabilities"], evaluate(classifier(), sample)["probabilities"], rtol=1e-5
    )


@pytest.mark.parametrize("build", [classifier, varied])
@pytest.mark.parametrize("int16", [(), "auto"])
def test_written_files_compute_the_same_integers_in_tensorflow_lite_micro(build, int16) -> None:  # type: ignore[no-untyped-def]
    pytest.importorskip("tflite_micro")
    graph = build()
    result = quantize(graph, images(8, 1, graph), int16_layers=int16, int16_budget=1.0)
    assert result.check.version is not None and result.check.samples == 3 and result.check.mismatches == 0
    types = {op.kind() for op in result.graph.ops}
    assert {"quantize", "dequantize"} <= types
    assert bool(result.int16_ops) == (int16 == "auto" and build is classifier)  # no int16 hard_swish


def test_random_float_networks_become_valid_integer_graphs_close_to_them() -> None:
    compared = 0
    for seed in range(60):
        graph = canonicalize(random_net(RandomDraw(seed), DType.FLOAT32))
        if any(t.quant is not None and not t.constant for t in graph.tensors.values()):
            continue  # it holds quantized parts
        rng = np.random.default_rng(seed)
        calibration = {n: rng.normal(size=(6, *graph[n].shape[1:])).astype(np.float32) for n in graph.inputs}
        samples = samples_of(graph, calibration)
        result = quantize_graph(graph, samples, Techniques())
        verify(result.graph)
        compared += 1
        layers = layer_noise(result.float_graph, result.graph, result.stored, samples)
        assert all(layer.sqnr_db > 3.0 for layer in layers)
    assert compared >= 8


def test_int16_layers_lower_the_noise() -> None:
    graph = canonicalize(classifier())
    samples = samples_of(graph, images(8, 1, graph))

    def at_add(int16_layers: tuple[str, ...]) -> float:
        result = quantize_graph(graph, samples, replace(PLAIN, int16_layers=int16_layers))
        layers = layer_noise(result.float_graph, result.graph, result.stored, samples)
        return next(layer.sqnr_db for layer in layers if layer.value == "add_y")

    assert at_add(("conv_1", "dw", "conv_2", "add")) > at_add(()) + 3.0


def test_equal_seeds_give_equal_bytes() -> None:
    graph = classifier()
    a, b = (quantize(graph, images(8, 1, graph), seed=3).content for _ in range(2))
    assert a == b


def test_int8_boundary_has_no_conversion() -> None:
    graph = classifier()
    result = quantize(graph, images(8, 1, graph), io_int8=True)
    types = [result.graph[n].dtype for n in (*result.graph.inputs, *result.graph.outputs)]
    assert types == [DType.INT8, DType.INT8]


def test_accuracy_is_measured_before_and_after_on_labels() -> None:
    graph = classifier()
    x = images(40, 1, graph)
    g = canonicalize(graph)
    labels = [int(evaluate(g, s)[g.outputs[0]].argmax()) for s in samples_of(g, x)]
    metric = quantize(graph, x, labels=labels).metric
    assert metric is not None and metric.name == "top-1 accuracy"
    assert metric.float_value == 1.0 and 0.9 <= metric.integer_value <= 1.0


def test_logits_are_what_goes_into_the_last_softmax() -> None:
    assert logits_of(classifier()) == "dense_y"
    assert logits_of(varied()) == "shift_y"
