"""Stateful networks: over sequences C equals the reference, and the reference TensorFlow Lite Micro."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from emulation_support import need
from library_support import library_of, state_net
from patchloom import boards
from patchloom.emulation.reference import check_reference
from patchloom.emulation.verify import SEQUENCE, random_inputs, verify_library
from patchloom.ir import DType, evaluate, initial_state

TYPES = [DType.INT8, DType.INT16, DType.FLOAT32]


@pytest.mark.parametrize("dtype", TYPES, ids=lambda t: t.value)
@pytest.mark.parametrize(
    "options", [{"input_mode": "arena"}, {"input_mode": "extern"}, {"goal": "ram"}], ids=str
)
def test_sequences_equal_the_reference_and_tensorflow_lite_micro(
    dtype: DType, options: dict[str, str], tmp_path: Path
) -> None:
    library, folder = library_of(state_net(dtype), tmp_path, **options)
    samples = list(random_inputs(library.graph, 2 * SEQUENCE + 10))
    result = verify_library(library, folder, samples, "host", sanitize=True)
    assert result.samples == 110 and result.damaged_guards == 0
    assert result.within_tolerance and (result.bit_exact or dtype is DType.FLOAT32), result
    outside = check_reference(library, samples, SEQUENCE)
    assert outside.name == "tflite-micro" and outside.samples == SEQUENCE
    assert outside.within_tolerance and (outside.mismatches == 0 or dtype is DType.FLOAT32), outside


def test_the_network_remembers(tmp_path: Path) -> None:
    """Without this the comparisons over sequences would show nothing: outputs depend on old frames."""
    graph = state_net()
    first, last, *_ = random_inputs(graph, 2)
    other = {"frame": (first["frame"] + 50).astype(np.int8)}
    (y,) = graph.outputs
    answers = []
    for history in ([last], [first, last], [other, last], [first, last, last]):
        state = initial_state(graph)
        answers.append([evaluate(graph, frame, state)[y] for frame in history][-1].tobytes())
    assert len(set(answers)) == 4


def test_a_state_that_is_not_reset_is_found_out(tmp_path: Path) -> None:
    """A reset that forgets one of the states differs in the second sequence."""
    library, folder = library_of(state_net(), tmp_path)
    source = folder / "net.c"
    line = next(x for x in source.read_text().splitlines() if "memcpy(state + 20" in x)
    source.write_text(source.read_text().replace(line, ""))
    samples = list(random_inputs(library.graph, SEQUENCE + 2))
    result = verify_library(library, folder, samples, "host")
    assert not result.bit_exact and not result.passed
    assert {m.sample for m in result.first} & {0, SEQUENCE}


@pytest.mark.parametrize("name", ["nrf52840dk", "hifive1-revb"])
def test_sequences_equal_the_reference_on_emulated_boards(name: str, tmp_path: Path) -> None:
    need(boards.load(name))
    library, folder = library_of(state_net(), tmp_path, board=name)
    result = verify_library(library, folder, list(random_inputs(library.graph, SEQUENCE + 3)), "qemu")
    assert result.bit_exact and result.damaged_guards == 0, result
    assert result.layers_compared == len(library.view.layers)
    assert result.stack_measured_bytes is not None and result.stack_measured_bytes > 0
