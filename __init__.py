"""Patchloom: the open compiler that puts neural networks on microcontrollers.

The public functions (compile, verify, profile, fit, load, ...) are those of `patchloom.api`; they are
imported when first used, so that `import patchloom` stays light.
"""

from typing import Any

__version__ = "0.1.0"

_PUBLIC = frozenset(
    {
        "compile",
        "diff",
        "doctor",
        "dump",
        "fit",
        "load",
        "operators",
        "pareto",
        "predict",
        "profile",
        "quantize",
        "run",
        "verify",
    }
)


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        from . import api

        return getattr(api, name)
    raise AttributeError(f"module 'patchloom' has no attribute {name!r}")
