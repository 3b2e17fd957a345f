"""The search spaces by name. A new space is one file here and one line below."""

from __future__ import annotations

from ..space import Space
from .image import InvertedBottlenecks
from .keyword import DepthwiseSeparable
from .series import DynamicConvolutions

SPACES: dict[str, type[Space]] = {
    "image": InvertedBottlenecks,
    "keyword": DepthwiseSeparable,
    "series": DynamicConvolutions,
}
"""By the name the command line uses."""
