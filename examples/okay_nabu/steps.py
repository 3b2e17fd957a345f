"""The demo from model to printed result, in the order of the pipeline."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import patchloom
from detector import MODEL, Package, Quantization, Tflm, quantization, shipped_rule
from patchloom import boards
from patchloom.api import Compiled
from patchloom.emulation.sequences import SequenceRun
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from speech import OTHERS, RATE_HZ, VOICES, WAKE_WORD, WORDS_PER_MINUTE, Clip, speak
from summary import print_agreement, print_cost, print_detections
from trial import Trial, judge, prepare

BOARD = "nrf52840dk"


def run(folder: Path, short: bool) -> bool:
    """Everything; the C library is left in `folder`. True when bits and decisions are equal.

    Raises UserError when a tool is missing or the program does not run.
    """
    console = Console(width=110, highlight=False)
    board, start = boards.load(BOARD), time.monotonic()
    console.print(
        f"{MODEL.name} of pymicro-wakeword {version('pymicro-wakeword')}, compiled for {board.title}"
    )
    compiled = patchloom.compile(MODEL, BOARD, folder)
    console.print(f"{len(compiled.library.files)} files in {folder}, {time.monotonic() - start:.1f} s\n")
    with _progress() as bar:
        clips = _speak(bar, short)
        trials = _prepare(bar, clips, quantization(compiled.library.imported))
        ran = _emulate(bar, compiled, trials)
    profile = patchloom.profile(folder)
    q, rule = quantization(compiled.library.imported), shipped_rule()
    output = compiled.library.graph.outputs[0]
    outcomes = [judge(t, got[output], q, rule) for t, got in zip(trials, ran.outputs, strict=True)]
    seconds = sum(c.audio.size for c in clips) / RATE_HZ
    console.print(
        f"{len(clips)} clips, {seconds:.0f} s of speech, through the C on QEMU's {board.emulator.machine} "
        f"({board.core}) in {ran.seconds:.0f} s; fires when the mean of the last {rule.window} probabilities "
        f"exceeds {rule.cutoff:g}\n"
    )
    print_detections(console, outcomes)
    console.print()
    equal = print_agreement(console, outcomes, ran, version("tflite-micro"), version("pymicro-wakeword"))
    console.print()
    print_cost(console, compiled, profile, ran, board)
    return equal


def _progress() -> Progress:
    columns = (TextColumn("{task.description:<36}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _speak(bar: Progress, short: bool) -> list[Clip]:
    texts = (WAKE_WORD, *OTHERS)
    wanted = list(itertools.product(texts, VOICES, WORDS_PER_MINUTE))
    if short:
        wanted = list(itertools.product(texts[:2], VOICES[:2], WORDS_PER_MINUTE[1:2]))
    return [speak(*w) for w in bar.track(wanted, description="speak")]


def _prepare(bar: Progress, clips: Sequence[Clip], q: Quantization) -> list[Trial]:
    tflm, package = Tflm(), Package()
    return [prepare(c, q, tflm, package) for c in bar.track(clips, description="features, and both peers")]


def _emulate(bar: Progress, compiled: Compiled, trials: Sequence[Trial]) -> SequenceRun:
    task = bar.add_task("generated C on the emulated board", total=len(trials))
    inputs = [t.inputs for t in trials]
    return patchloom.run(compiled.folder, inputs, progress=lambda done: bar.update(task, completed=done))
