"""Running a library on sequences: the state is reset before each, whatever their lengths."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import patchloom
import pytest
from emulation_support import board_called, need, need_host
from patchloom.emulation.sequences import _boots
from patchloom.errors import UserError
from patchloom.ir import evaluate, initial_state


@pytest.fixture(scope="module")
def wake_word(tmp_path_factory: pytest.TempPathFactory) -> patchloom.api.Compiled:  # type: ignore[name-defined]
    package = pytest.importorskip("pymicro_wakeword")
    model = Path(package.__file__).parent / "models" / "okay_nabu.tflite"
    return patchloom.compile(model, "nrf52840dk", tmp_path_factory.mktemp("run") / "okay_nabu")


@pytest.mark.parametrize("on", ["host", "qemu"])
def test_sequences_of_unequal_length_equal_the_reference_run_from_its_initial_state(
    wake_word, on: str
) -> None:  # type: ignore[no-untyped-def]
    if on == "host":
        need_host()
    else:
        need(board_called("nrf52840dk"))
    graph = wake_word.library.graph
    rng = np.random.default_rng(1)
    sequences = [rng.integers(-128, 128, (n, 1, 3, 40)).astype(np.int8) for n in (3, 9, 1, 6)]
    done: list[int] = []
    run = patchloom.run(wake_word.folder, sequences, on=on, progress=done.append)
    assert run.damaged_guards == 0
    assert done[-1] == len(sequences)
    for frames, got in zip(sequences, run.outputs, strict=True):
        state = initial_state(graph)
        values = [evaluate(graph, {graph.inputs[0]: x}, state)[graph.outputs[0]] for x in frames]
        assert np.array_equal(got[graph.outputs[0]], np.stack(values))


def test_an_empty_sequence_is_refused(wake_word) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UserError, match="empty"):
        patchloom.run(wake_word.folder, [[]], on="host")


def test_boots_hold_every_sequence_once_and_never_exceed_the_capacity() -> None:
    lengths = list(np.random.default_rng(2).integers(1, 120, 300))
    boots = _boots(lengths, 500)
    assert sorted(i for boot in boots for i in boot) == list(range(300))
    assert all(max(lengths[i] for i in boot) * len(boot) <= 500 for boot in boots)
    padded = sum(max(lengths[i] for i in boot) * len(boot) for boot in boots)
    assert padded < 1.2 * sum(lengths)
