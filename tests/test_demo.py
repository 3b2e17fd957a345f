"""The wake-word demo in its short form, and its parts that can go wrong without anybody noticing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

DEMO = Path(__file__).resolve().parent.parent / "examples" / "okay_nabu"


def _module(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    pytest.importorskip("pymicro_wakeword")
    pytest.importorskip("pymicro_features")
    monkeypatch.syspath_prepend(str(DEMO))
    return pytest.importorskip(name)


def _run(*arguments: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = dict(os.environ) if path is None else {**os.environ, "PATH": path}
    command = [sys.executable, str(DEMO / "demo.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=environment)


def test_the_short_demo_equals_both_peers_and_prints_its_cost(tmp_path: Path) -> None:
    pytest.importorskip("pymicro_wakeword")
    pytest.importorskip("pymicro_features")
    for tool in ("espeak-ng", "arm-none-eabi-gcc", "qemu-system-arm"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    done = _run("--short", "-o", str(tmp_path / "okay_nabu"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "result         all equal" in done.stdout
    assert "detected       2 of 2 times" in done.stdout
    for line in ("RAM", "flash", "instructions", "cycles", "load"):
        assert f"\n{line} " in done.stdout
    assert "is not included" in done.stdout
    assert (tmp_path / "okay_nabu" / "okay_nabu.c").is_file()


def test_missing_espeak_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    done = _run("--short", "-o", str(tmp_path / "okay_nabu"), path=str(tmp_path))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "espeak-ng" in done.stderr
    assert not (tmp_path / "okay_nabu").exists()


@pytest.mark.parametrize("hertz", [200, 1000, 4000, 6500])
def test_resampling_keeps_a_tone_below_the_new_nyquist_frequency(
    hertz: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    speech = _module("speech", monkeypatch)
    tone = np.rint(10_000 * np.sin(2 * np.pi * hertz * np.arange(22_050) / 22_050)).astype(np.int16)
    got = speech.resample(tone, 22_050, 16_000)
    want = 10_000 * np.sin(2 * np.pi * hertz * np.arange(16_000) / 16_000)
    assert got.shape == want.shape
    assert np.abs(got - want)[100:-100].max() < 40


def test_resampling_removes_a_tone_above_the_new_nyquist_frequency(monkeypatch: pytest.MonkeyPatch) -> None:
    speech = _module("speech", monkeypatch)
    tone = np.rint(10_000 * np.sin(2 * np.pi * 9_500 * np.arange(22_050) / 22_050)).astype(np.int16)
    assert np.abs(speech.resample(tone, 22_050, 16_000)[100:-100]).max() < 40


def test_the_detector_fires_only_when_the_mean_of_a_full_window_exceeds_the_cutoff(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    detector = _module("detector", monkeypatch)
    q = detector.Quantization(3, 0.1, -128, 1 / 256, 0)
    rule = detector.Rule(0.5, 3)
    # means from the third on: 128/256 is not above the cutoff, 129/256 is
    assert detector.decisions([255, 255, 0, 129, 258 - 129, 129, 0], q, rule) == (
        False, False, True, False, False, True, False
    )  # fmt: skip


def test_one_different_bit_makes_the_outcome_unequal(monkeypatch: pytest.MonkeyPatch) -> None:
    detector, trial, speech = (_module(n, monkeypatch) for n in ("detector", "trial", "speech"))
    summary = _module("summary", monkeypatch)
    from patchloom.emulation.sequences import SequenceRun
    from rich.console import Console

    q, rule = detector.Quantization(3, 0.1, -128, 1 / 256, 0), detector.Rule(0.5, 3)
    clip = speech.Clip("okay nabu", "en-us", 160, np.zeros(16, np.int16))
    case = trial.Trial(clip, np.zeros((4, 1, 3, 40), np.int8), np.zeros(4, np.uint8), (False,) * 4)
    run = SequenceRun("qemu", (), 0, 0, 0.0)
    same = trial.judge(case, np.zeros((4, 1, 1), np.uint8), q, rule)
    other = trial.judge(case, np.array([0, 1, 0, 0], np.uint8), q, rule)
    fires = trial.judge(case, np.full(4, 255, np.uint8), q, rule)
    console = Console(quiet=True)
    assert summary.print_agreement(console, [same], run, "1", "2")
    assert not summary.print_agreement(console, [same, other], run, "1", "2")
    assert (other.different_outputs, other.fires) == (1, False)
    assert (fires.different_decisions, fires.fires) == (2, True)
