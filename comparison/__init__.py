"""Two models, or a model and what a compiled library computes, layer by layer."""

from __future__ import annotations

from .diff import Diff, LayerDiff, OutputDiff, diff

__all__ = ["Diff", "LayerDiff", "OutputDiff", "diff"]
