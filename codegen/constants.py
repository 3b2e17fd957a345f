"""The constant arrays of a library: collected from kernels and tensors, equal ones shared."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..ir import DType
from ..passes.planner.kernel import Const, Fill
from .names import unique_among


def number(value: int | float, ctype: str) -> str:
    """C text of one number of type `ctype`; floats are written so that they read back exactly."""
    if ctype == "float":
        return _float(float(value))
    if ctype == "int64_t":
        return f"INT64_C({int(value)})" if value != -(2**63) else "INT64_MIN"
    return str(int(value)) if int(value) != -(2**31) else "INT32_MIN"


def _float(value: float) -> str:
    if math.isnan(value):
        return "NAN"
    if math.isinf(value):
        return "INFINITY" if value > 0 else "-INFINITY"
    text = f"{value:.9g}"
    return f"{text}f" if "." in text or "e" in text else f"{text}.0f"


@dataclass(frozen=True, eq=False)
class Array:
    """One constant array of the weights file."""

    symbol: str
    ctype: str
    data: np.ndarray
    comment: str

    @property
    def length(self) -> int:
        return int(self.data.size)

    @property
    def rows(self) -> Iterator[str]:
        """Lines of comma-separated elements."""
        texts = [number(v, self.ctype) for v in self.data.reshape(-1).tolist()]
        step = 5 if self.ctype == "float" else {1: 16, 2: 12, 4: 8, 8: 3}[self.data.itemsize]
        for i in range(0, len(texts), step):
            yield ", ".join(texts[i : i + step])


class ConstantPool:
    """Collects arrays and gives them symbols; built once per library, then read."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._taken: set[str] = set()
        self._by_bytes: dict[tuple[str, bytes], Array] = {}
        self._fills: dict[tuple[str, float], tuple[str, int]] = {}

    def add(self, const: Const, name: str, comment: str) -> str:
        """Symbol of an array with that content; `name` is used when it is new."""
        data = np.ascontiguousarray(const.data)
        key = (data.dtype.name, data.tobytes())
        if key not in self._by_bytes:
            ctype = DType(data.dtype.name).ctype
            self._by_bytes[key] = Array(self._symbol(name), ctype, data, comment)
        return self._by_bytes[key].symbol

    def add_fill(self, fill: Fill) -> str:
        """Symbol of an array of at least `count` elements equal to `value`."""
        key = (fill.dtype, fill.value)
        text = f"{fill.value:g}".replace("-", "m").replace(".", "p").replace("+", "")
        symbol, count = self._fills.get(key) or (self._symbol(f"fill_{DType(fill.dtype).suffix}_{text}"), 0)
        self._fills[key] = (symbol, max(count, fill.count))
        return symbol

    def _symbol(self, name: str) -> str:
        return unique_among(self._taken, f"{self._prefix}_{name}")

    def arrays(self) -> tuple[Array, ...]:
        """All arrays in the order in which they were first asked for, fills last."""
        fills = [
            Array(symbol, DType(t).ctype, np.full(n, v, DType(t).numpy), "padding")
            for (t, v), (symbol, n) in self._fills.items()
        ]
        return (*self._by_bytes.values(), *fills)
