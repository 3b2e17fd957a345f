"""What each detector said about each clip, and where they differ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from detector import Package, Quantization, Rule, Tflm, decisions, features, quantize
from speech import Clip


@dataclass(frozen=True, eq=False)
class Trial:
    """One clip as the two peers see it.

    inputs   int8[inferences, 1, frames, 40], what the network is fed
    tflm     uint8[inferences], raw outputs of TensorFlow Lite Micro for `inputs`
    package  decisions of pymicro-wakeword for the same audio, one per inference
    """

    clip: Clip
    inputs: np.ndarray
    tflm: np.ndarray
    package: tuple[bool, ...]


@dataclass(frozen=True, eq=False)
class Outcome:
    """A trial with the generated C's raw outputs uint8[inferences] and the decisions behind them."""

    trial: Trial
    outputs: np.ndarray
    decisions: tuple[bool, ...]

    @property
    def clip(self) -> Clip:
        return self.trial.clip

    @property
    def fires(self) -> bool:
        return any(self.decisions)

    @property
    def different_outputs(self) -> int:
        """Inferences whose output is not TensorFlow Lite Micro's."""
        return int((self.outputs != self.trial.tflm).sum())

    @property
    def different_decisions(self) -> int:
        """Inferences after which this detector and the package decide differently."""
        return sum(a != b for a, b in zip(self.decisions, self.trial.package, strict=True))


def prepare(clip: Clip, q: Quantization, tflm: Tflm, package: Package) -> Trial:
    """Features of a clip, and what the peers make of it."""
    inputs = quantize(features(clip.audio), q)
    # the package takes 10 ms steps and decides at the last one of an inference
    steps = package.decisions(clip.audio)[q.frames - 1 :: q.frames]
    return Trial(clip, inputs, tflm.outputs(inputs), steps)


def judge(trial: Trial, outputs: np.ndarray, q: Quantization, rule: Rule) -> Outcome:
    """Apply the decision rule to the C's outputs uint8[inferences, 1, 1]."""
    raw = outputs.reshape(-1)
    return Outcome(trial, raw, decisions(raw, q, rule))
