"""Channel blocks: layers between an expansion and a projection for a few channels at a time."""

from __future__ import annotations

from .runs import Run, runs_of
from .search import Fronts
from .split import Blocks, split_channels

__all__ = ["Blocks", "Fronts", "Run", "runs_of", "split_channels"]
