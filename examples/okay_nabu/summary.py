"""What the demo prints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from detector import tflm_arena_bytes
from patchloom.api import Compiled
from patchloom.boards import Board
from patchloom.emulation.profile import Profile
from patchloom.emulation.sequences import SequenceRun
from rich.console import Console
from rich.table import Table
from speech import WAKE_WORD
from trial import Outcome

FRAME_S = 0.030


def print_detections(console: Console, outcomes: Sequence[Outcome]) -> None:
    """A table sentence x voice, then every miss and every false accept by name."""
    voices = list(dict.fromkeys(o.clip.voice for o in outcomes))
    speeds = sorted({o.clip.words_per_minute for o in outcomes})
    times = f"{len(speeds)} speeds" if len(speeds) > 1 else "one speed"
    console.print(f"Detections out of {times} ({', '.join(map(str, speeds))} words per minute)")
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("sentence", no_wrap=True)
    for voice in voices:
        table.add_column(voice.replace("gb-", "gb-\n"), justify="right")
    for text in dict.fromkeys(o.clip.text for o in outcomes):
        counts = [sum(o.fires for o in outcomes if (o.clip.text, o.clip.voice) == (text, v)) for v in voices]
        cells = [str(n) if n or text == WAKE_WORD else "-" for n in counts]
        table.add_row(text, *cells, style="bold" if text == WAKE_WORD else "")
    console.print(table)
    console.print()
    spoken = [o for o in outcomes if o.clip.is_wake_word]
    others = [o for o in outcomes if not o.clip.is_wake_word]
    misses = [o for o in spoken if not o.fires]
    false = [o for o in others if o.fires]
    _line(console, "detected", f"{len(spoken) - len(misses)} of {len(spoken)} times “{WAKE_WORD}”")
    _line(console, "missed", str(len(misses)))
    _print_clips(console, misses)
    _line(console, "false accepts", f"{len(false)} of {len(others)} other sentences")
    _print_clips(console, false)


def _line(console: Console, label: str, text: str) -> None:
    console.print(f"{label:<14} {text}")


def _print_clips(console: Console, outcomes: Iterable[Outcome]) -> None:
    speeds: dict[str, list[str]] = {}
    for o in outcomes:
        speeds.setdefault(f"“{o.clip.text}” by {o.clip.voice}", []).append(str(o.clip.words_per_minute))
    for what, at in speeds.items():
        _line(console, "", f"{what} at {', '.join(at)}")


def print_agreement(
    console: Console, outcomes: Sequence[Outcome], run: SequenceRun, tflm: str, package: str
) -> bool:
    """The two comparisons and the guard bytes; True when all is equal. `tflm`, `package`: their versions."""
    total = sum(o.outputs.size for o in outcomes)
    bits = total - sum(o.different_outputs for o in outcomes)
    decisions = total - sum(o.different_decisions for o in outcomes)
    clips = sum(o.fires == any(o.trial.package) for o in outcomes)
    _line(console, "probabilities", f"{bits:,} of {total:,} equal tflite-micro {tflm}, bit for bit")
    _line(console, "decisions", f"{clips:,} of {len(outcomes):,} clips equal pymicro-wakeword {package}")
    if decisions < total:
        text = f"{decisions:,} of {total:,} inferences: its engine rounds differently, seen near the cutoff"
        _line(console, "", text)
    if run.damaged_guards:
        _line(console, "memory", f"{run.damaged_guards} inferences wrote outside arena or state")
    equal = bits == total and clips == len(outcomes) and run.damaged_guards == 0
    if equal:
        _line(
            console, "result", "all equal; misses and false accepts are the network's: both peers have them"
        )
    else:
        _line(console, "result", "NOT EQUAL")
    return equal


def print_cost(
    console: Console, compiled: Compiled, profile: Profile, run: SequenceRun, board: Board
) -> None:
    """Memory and time on the board; what was not measured says so."""
    f = compiled.figures()
    stack = f"worst-case stack {_bytes(f['stack_bytes'])} ({_bytes(run.stack_measured_bytes)} used on QEMU)"
    _line(console, "RAM", f"arena {f['arena_bytes']:,} B, state {f['state_bytes']:,} B, {stack}")
    _line(
        console,
        "",
        f"(for TensorFlow Lite Micro, the model's file reserves {tflm_arena_bytes():,} B of arena)",
    )
    _line(console, "flash", f"weights {f['weight_bytes']:,} B, code {_bytes(f['code_bytes'])}")
    per_mac = profile.instructions / f["macs"]
    text = f"{profile.instructions:,} per 30 ms frame, counted ({f['macs']:,} MAC, {per_mac:.1f} each)"
    _line(console, "instructions", text)
    if profile.cycles is None:
        _line(console, "cycles", f"unknown: there is no cycle model of {profile.core}")
        return
    _line(
        console, "cycles", f"{profile.cycles:,} per 30 ms frame by the {profile.core} model, no wait states"
    )
    load = profile.cycles / (board.clock_hz * FRAME_S)
    _line(
        console,
        "load",
        f"{load:.1%} of {board.clock_hz / 1e6:g} MHz, estimated; feature extraction, which ran",
    )
    _line(console, "", "on this computer, is not included")


def _bytes(value: int | None) -> str:
    return "unknown" if value is None else f"{value:,} B"
