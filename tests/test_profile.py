"""Profiling without the counting plugin: a guest timer gives the instructions of the whole run."""

from __future__ import annotations

import shutil
from pathlib import Path

import patchloom
import pytest
from patchloom.emulation import counts
from patchloom.export.tflite import to_tflite
from patchloom.ir.cases import RandomDraw
from patchloom.ir.ops.add import Add

needs_arm = pytest.mark.skipif(
    not (shutil.which("arm-none-eabi-gcc") and shutil.which("qemu-system-arm")),
    reason="needs gcc-arm-none-eabi and qemu-system-arm",
)


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
