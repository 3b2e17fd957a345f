"""Spoken clips: espeak-ng's voices as 16 kHz, 16-bit mono audio with silence around."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import wave
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from patchloom.errors import UserError

RATE_HZ = 16_000
WAKE_WORD = "okay nabu"
# Half of them begin or end as the wake word does; the others are what else is said to such a device.
OTHERS = (
    "okay navigator",
    "hey nabu",
    "okay, not now",
    "okay, now do it",
    "the day in nebraska",
    "turn on the living room light",
    "what is the weather like today",
    "set a timer for ten minutes",
    "play some music in the kitchen",
    "good morning everybody",
)
VOICES = ("en-us", "en-gb", "en-gb-scotland", "en-029", "en-gb-x-rp", "en-us+m3", "en-us+f2", "en-us+f3")
WORDS_PER_MINUTE = (130, 160, 190)
# The noise estimate of the features settles during the lead; the detector's window ends in the tail.
_LEAD_S, _TAIL_S = 0.8, 0.5
_HALF_WIDTH = 16
_COEFFICIENT_BITS = 15


@dataclass(frozen=True, eq=False)
class Clip:
    """One sentence by one voice; `audio` is int16[N] at RATE_HZ."""

    text: str
    voice: str
    words_per_minute: int
    audio: np.ndarray

    @property
    def is_wake_word(self) -> bool:
        return self.text == WAKE_WORD

    @property
    def seconds(self) -> float:
        return self.audio.size / RATE_HZ


def require_espeak() -> str:
    """Path of espeak-ng. Raises UserError when it is not installed."""
    path = shutil.which("espeak-ng")
    if path is None:
        raise UserError("espeak-ng is not installed", hint="apt-get install espeak-ng")
    return path


def speak(text: str, voice: str, words_per_minute: int) -> Clip:
    """Synthesize one clip. Raises UserError when espeak-ng is missing or fails."""
    command = [require_espeak(), "-v", voice, "-s", str(words_per_minute)]
    with tempfile.TemporaryDirectory(prefix="okay-nabu-") as folder:
        path = Path(folder) / "clip.wav"
        done = subprocess.run(
            [*command, "-w", str(path), text], capture_output=True, text=True, timeout=60, check=False
        )
        if done.returncode != 0 or not path.is_file():
            raise UserError(f"espeak-ng cannot speak with voice {voice}", found=done.stderr.strip()[:200])
        with wave.open(str(path), "rb") as source:
            rate = source.getframerate()
            data = source.readframes(source.getnframes())
    spoken = resample(np.frombuffer(data, "<i2"), rate, RATE_HZ)
    lead, tail = (np.zeros(round(s * RATE_HZ), np.int16) for s in (_LEAD_S, _TAIL_S))
    return Clip(text, voice, words_per_minute, np.concatenate([lead, spoken, tail]))


@cache
def _filters(up: int, down: int) -> np.ndarray:
    """Integer low-pass coefficients int64[up, taps], one row per output phase, each summing to 2**15.

    A sinc with its cut-off at the lower of both Nyquist frequencies, under a Hann window
    (Oppenheim and Schafer, Discrete-Time Signal Processing, section 4.6).
    """
    cutoff = min(1.0, up / down)
    half = round(_HALF_WIDTH / cutoff)
    taps = np.arange(-half + 1, half + 1)
    distance = taps[None, :] - np.arange(up)[:, None] / up
    window = np.cos(np.pi * distance / (2 * half)) ** 2
    rows = np.sinc(cutoff * distance) * window
    rows *= (1 << _COEFFICIENT_BITS) / rows.sum(axis=1, keepdims=True)
    return np.rint(rows).astype(np.int64)


def resample(samples: np.ndarray, from_hz: int, to_hz: int) -> np.ndarray:
    """int16[N] at `from_hz` to int16[M] at `to_hz`, in integers: the same bits on every machine."""
    common = np.gcd(from_hz, to_hz)
    up, down = to_hz // common, from_hz // common
    filters = _filters(up, down)
    half = filters.shape[1] // 2
    count = samples.size * up // down
    position = np.arange(count) * down
    padded = np.concatenate(
        [np.zeros(half, np.int64), samples.astype(np.int64), np.zeros(half + 1, np.int64)]
    )
    # output n lies at input position n * down / up; its taps reach from half - 1 before to half behind
    windows = np.lib.stride_tricks.sliding_window_view(padded, filters.shape[1])
    total = np.einsum("ij,ij->i", windows[position // up + 1], filters[position % up])
    rounded = (total + (1 << (_COEFFICIENT_BITS - 1))) >> _COEFFICIENT_BITS
    return np.clip(rounded, -(1 << 15), (1 << 15) - 1).astype(np.int16)
