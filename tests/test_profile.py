"""Profiling without the counting plugin: a guest timer gives the instructions of the whole run."""

from __future__ import annotations

import shutil
from pathlib import Path

import patchloom
import pytest
from library_support import conv_net
from patchloom.cli import show
from patchloom.emulation import counts
from patchloom.export.tflite import to_tflite
from patchloom.ir.cases import RandomDraw
from patchloom.ir.ops.add import Add

needs_arm = pytest.mark.skipif(
    not (shutil.which("arm-none-eabi-gcc") and shutil.which("qemu-system-arm")),
    reason="needs gcc-arm-none-eabi and qemu-system-arm",
)


@needs_arm
@pytest.mark.parametrize(("board", "model"), [("generic-cortex-m4", "m4"), ("generic-cortex-m85", None)])
def test_each_layer_has_its_macs_per_cycle_and_its_share(
    board: str, model: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(to_tflite(conv_net()))
    patchloom.compile(path, board, tmp_path / "lib")
    profile = patchloom.profile(tmp_path / "lib")
    show.profiled(profile)
    table = capsys.readouterr().out
    assert profile.cycle_model == model
    total = profile.instructions if model is None else profile.cycles
    assert total is not None and sum(layer.macs for layer in profile.layers) > 1000
    for layer in profile.layers:
        cost = layer.instructions if model is None else layer.cycles
        assert cost is not None
        assert layer.share == cost / total
        assert layer.macs_per_cycle == (None if model is None else layer.macs / cost)
        assert f"{100 * layer.share:.1f}" in table and f"{layer.macs / cost:.2f}" in table
    assert 0.9 < sum(layer.share for layer in profile.layers) < 1
    assert ("MAC/cycle" if model else "MAC/instr") in table
    assert (f"cycle model {model}" if model else "cycles unknown") in table


@needs_arm
def test_without_the_plugin_instructions_come_from_a_guest_timer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "model.tflite"
    model.write_bytes(to_tflite(Add.case(RandomDraw(3))))
    patchloom.compile(model, "generic-cortex-m4", tmp_path / "lib")
    counted = patchloom.profile(tmp_path / "lib")
    monkeypatch.setattr(counts, "source", lambda qemu: counts.ICOUNT)
    timed = patchloom.profile(tmp_path / "lib")
    assert (timed.source, timed.cycles, timed.layers) == (counts.ICOUNT, None, ())
    assert counted.layers and counted.cycles
    assert timed.instructions == pytest.approx(counted.instructions, abs=100)
