"""The constant arrays of a library: collected from kernels and tensors, equal ones shared."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..ir import DType
from ..passes.planner.kernel import Const, Fill


def number(value: int | float, ctype: str) -> str:
    """C text of one number of type `ctype`; floats are written so that they read back exactly."""
    if ctype == "float":
        if math.isinf(value):
            return "INFINITY" if value > 0 else "-INFINITY"
        text = f"{float(value):.9g}"
        return f"{text}f" if "." in text or "e" in text else f"{text}.0f"
    if ctype == "int64_t":
        return f"INT64_C({int(value)})" if value != -(2**63) else "INT64_MIN"
    return str(int(value)) if int(value) != -(2**31) else "INT32_MIN"


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
    def rows(self) -> Iterable[str]:
        """Lines of comma-separated elements."""
        if self.ctype in ("float", "int64_t"):
            texts = [number(v, self.ctype) for v in self.data.reshape(-1).tolist()]
        else:
            texts = [
                t if t != "-2147483648" else "INT32_MIN" for t in map(str, self.data.reshape(-1).tolist())
            ]
        step = 20 if self.data.itemsize == 1 else 8
        for i in range(0, len(texts), step):
            yield ", ".join(texts[i : i + step])


class ConstantPool:
    """Collects arrays and gives them symbols; built once per library, then read."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._by_bytes: dict[tuple[str, bytes], Array] = {}
        self._fills: dict[tuple[str, float], int] = {}

    def add(self, const: Const, name: str, comment: str) -> str:
        """Symbol of an array with that content; `name` is used when it is new."""
        data = np.ascontiguousarray(const.data)
        key = (data.dtype.name, data.tobytes())
        if key not in self._by_bytes:
            ctype = DType(data.dtype.name).ctype
            self._by_bytes[key] = Array(f"{self._prefix}_{name}", ctype, data, comment)
        return self._by_bytes[key].symbol

    def add_fill(self, fill: Fill) -> str:
        """Symbol of an array of at least `count` elements equal to `value`."""
        key = (fill.dtype, fill.value)
        self._fills[key] = max(self._fills.get(key, 0), fill.count)
        return self._fill_symbol(*key)

    def _fill_symbol(self, dtype: str, value: float) -> str:
        text = f"{value:g}".replace("-", "m").replace(".", "p").replace("+", "")
        return f"{self._prefix}_fill_{DType(dtype).suffix}_{text}"

    def arrays(self) -> tuple[Array, ...]:
        """All arrays in the order in which they were first asked for, fills last."""
        fills = [
            Array(self._fill_symbol(t, v), DType(t).ctype, np.full(n, v, DType(t).numpy), "padding")
            for (t, v), n in self._fills.items()
        ]
        return (*self._by_bytes.values(), *fills)
