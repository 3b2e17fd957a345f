"""Real models: they import, equal TensorFlow Lite Micro in every value, and write back the same."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from patchloom.errors import UserError
from patchloom.export.tflite import to_tflite
from patchloom.export.tflm import TflmReference, tflm_version
from patchloom.frontend import load
from patchloom.ir import DType, Graph, check_rules, evaluate, initial_state

FLOAT_TOLERANCE = 1e-4
"""Absolute, on activations of order 1 to 10: sums are taken in another order."""

OUTPUT_SHA256 = {
    "kws_ref_model": "d7bd75648bbf76c4",
    "vww_96_int8": "d5c7fda52321d2d5",
    "pretrainedResnet_quant": "e80aec87cac29027",
    "ad01_int8": "3b5107f3ad214cbc",
    "str_ww_ref_model": "d732297babadbbda",
    "micro_speech_quantized": "fc20fe8475547580",
    "hello_world_int8": "591b7cc95037822d",
}
"""First 16 hex digits of the SHA-256 of TensorFlow Lite Micro's output for the generated input."""

MODELS = (
    *OUTPUT_SHA256,
    "chain_mbv2_w035_r144",
    "chain_mcunet_320k_r176",
    "chain_mcunet_vww5_r80",
    "hello_world_float",
    "mbv2_w035_r144",
    "mcunet_in3_r176",
    "mcunet_vww",
    "pretrainedResnet",
    "vww_96_float",
)
SLOW = ("mbv2_w100_r224",)


def congruential_bytes(count: int) -> bytes:
    """x = x * 1664525 + 1013904223 modulo 2^32 from x = 1; the top byte of each new x."""
    x, out = 1, bytearray()
    for _ in range(count):
        x = (x * 1664525 + 1013904223) & 0xFFFFFFFF
        out.append(x >> 24)
    return bytes(out)


def random_input(graph: Graph, name: str, rng: np.random.Generator) -> np.ndarray:
    t = graph[name]
    if t.dtype is DType.FLOAT32:
        return rng.normal(size=t.shape).astype(np.float32)
    low, high = t.dtype.integer_range
    return rng.integers(low, high + 1, t.shape).astype(t.dtype.numpy)


def assert_all_values_equal_tflm(graph: Graph, model: bytes, runs: int) -> None:
    """Every value the interpreter has, over `runs` inferences in sequence."""
    rng = np.random.default_rng(9)
    tflm, state = TflmReference(model), initial_state(graph)
    for run in range(runs):
        inputs = {name: random_input(graph, name, rng) for name in graph.inputs}
        outputs = tflm.run([inputs[name] for name in graph.inputs])
        want, got = evaluate(graph, inputs, state), tflm.values()
        got |= dict(zip(graph.outputs, outputs, strict=True))
        computed = [y for op in graph.ops for y in op.outputs if y in got]
        assert len(computed) >= len(graph.ops) // 2
        for name in computed:
            message = f"run {run}, {name}"
            if graph[name].dtype is DType.FLOAT32:
                np.testing.assert_allclose(got[name], want[name], atol=FLOAT_TOLERANCE, err_msg=message)
            else:
                np.testing.assert_array_equal(
                    got[name].reshape(want[name].shape), want[name], err_msg=message
                )


@pytest.mark.parametrize("name", [*MODELS, *(pytest.param(n, marks=pytest.mark.slow) for n in SLOW)])
def test_reference_models_equal_tflm_in_every_value(shared_models: Path, name: str) -> None:
    path = shared_models / f"{name}.tflite"
    graph = load(path)
    check_rules(graph)
    assert_all_values_equal_tflm(graph, path.read_bytes(), 1)
    assert_all_values_equal_tflm(graph, to_tflite(graph), 1)


@pytest.mark.parametrize("name", OUTPUT_SHA256)
def test_reference_models_give_the_published_outputs(shared_models: Path, name: str) -> None:
    graph = load(shared_models / f"{name}.tflite")
    (x,), (y,) = graph.inputs, graph.outputs
    data = np.frombuffer(congruential_bytes(graph[x].size_bytes), graph[x].dtype.numpy)
    answer = evaluate(graph, {x: data.reshape(graph[x].shape)})[y]
    assert hashlib.sha256(answer.tobytes()).hexdigest()[:16] == OUTPUT_SHA256[name]


def wake_word_model(name: str) -> Path:
    package = pytest.importorskip("pymicro_wakeword", reason="pymicro-wakeword is not installed")
    return Path(package.__file__).parent / "models" / f"{name}.tflite"


@pytest.mark.parametrize("name", ["okay_nabu", "alexa", "hey_mycroft"])
def test_streaming_models_equal_tflm_in_every_value_of_a_sequence(name: str) -> None:
    path = wake_word_model(name)
    graph = load(path)
    check_rules(graph)
    assert len(graph.states) == 6
    assert_all_values_equal_tflm(graph, path.read_bytes(), 20)
    assert_all_values_equal_tflm(graph, to_tflite(graph), 20)


def test_a_reset_restores_the_initial_state() -> None:
    path = wake_word_model("okay_nabu")
    tflm = TflmReference(path.read_bytes(), preserve=False)
    x = random_input(tflm.graph, tflm.graph.inputs[0], np.random.default_rng(2))
    first = [tflm.run([x])[0].tobytes() for _ in range(8)]
    tflm.reset()
    assert [tflm.run([x])[0].tobytes() for _ in range(8)] == first
    with pytest.raises(UserError, match="not preserved"):
        tflm.values()


def test_a_failing_interpreter_gives_its_reason(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the native code prints belongs into the error and nowhere else."""
    tflm = TflmReference(wake_word_model("okay_nabu").read_bytes())

    class Failing:
        def set_input(self, data: np.ndarray, index: int) -> None:
            os.write(2, b"node 3 failed\n")
            raise RuntimeError("invoke failed")

    monkeypatch.setattr(tflm, "_interpreter", Failing())
    with pytest.raises(UserError, match="node 3 failed"):
        tflm.run([np.zeros(1, np.int8)])
    assert capfd.readouterr().err == ""


def test_the_interpreter_names_its_version() -> None:
    assert tflm_version()[0].isdigit()
