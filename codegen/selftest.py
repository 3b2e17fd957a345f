"""The known answer of a library: outputs for a pseudo-random input both sides can make.

Input bytes come from x = x * 1664525 + 1013904223 (uint32, x starts at 1), byte = x >> 24. Integer
tensors take the bytes as they are, bool tensors their lowest bits; float tensors take byte / 64 - 2,
exact in float32.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ..ir import DType, Graph, Tensor, evaluate, initial_state
from .constants import number

STATEFUL_RUNS = 3
FLOAT_TOLERANCE = 1e-4
"""Largest |difference| of a float output, relative to max(1, largest |output|)."""


def lcg_bytes() -> Iterator[int]:
    """The endless byte sequence."""
    x = 1
    while True:
        x = (x * 1664525 + 1013904223) & 0xFFFFFFFF
        yield x >> 24


def lcg_input(t: Tensor, source: Iterator[int]) -> np.ndarray:
    """The next input for `t` from the sequence."""
    if t.dtype is DType.FLOAT32:
        values = np.fromiter((next(source) for _ in range(t.elements)), np.float32, t.elements)
        return (values / np.float32(64) - np.float32(2)).astype(np.float32).reshape(t.shape)
    data = bytes(next(source) for _ in range(t.size_bytes))
    if t.dtype is DType.BOOL:
        data = bytes(b & 1 for b in data)
    return np.frombuffer(data, t.dtype.numpy).reshape(t.shape)


@dataclass(frozen=True)
class KnownAnswer:
    """One output: its CRC-32 (integers) or its values (floats)."""

    stem: str
    is_float: bool
    size_bytes: int
    elements: int
    crc32: str
    values: tuple[str, ...]
    tolerance: str


@dataclass(frozen=True)
class SelfTest:
    """`runs` inferences after a reset; the outputs of the last one.

    input_kinds  "float", "bool" or "integer" per input
    """

    runs: int
    input_kinds: tuple[str, ...]
    answers: tuple[KnownAnswer, ...]

    @property
    def any_integer(self) -> bool:
        return any(not a.is_float for a in self.answers)

    @property
    def any_float(self) -> bool:
        return any(a.is_float for a in self.answers)


def known_answers(graph: Graph, stems: list[str]) -> SelfTest:
    """Evaluate the reference on the sequence."""
    source, state = lcg_bytes(), initial_state(graph)
    runs = STATEFUL_RUNS if graph.states else 1
    values: Mapping[str, np.ndarray] = {}
    for _ in range(runs):
        values = evaluate(graph, {n: lcg_input(graph[n], source) for n in graph.inputs}, state)
    answers = tuple(_answer(stem, values[y]) for stem, y in zip(stems, graph.outputs, strict=True))
    kinds = {DType.FLOAT32: "float", DType.BOOL: "bool"}
    return SelfTest(runs, tuple(kinds.get(graph[n].dtype, "integer") for n in graph.inputs), answers)


def _answer(stem: str, y: np.ndarray) -> KnownAnswer:
    is_float = y.dtype == np.float32
    largest = float(np.abs(y[np.isfinite(y)]).max(initial=1.0)) if is_float else 1.0
    return KnownAnswer(
        stem=stem,
        is_float=is_float,
        size_bytes=y.nbytes,
        elements=y.size,
        crc32=f"0x{zlib.crc32(y.tobytes()):08X}u",
        values=tuple(number(v, "float") for v in y.reshape(-1).tolist()) if is_float else (),
        tolerance=number(FLOAT_TOLERANCE * largest, "float"),
    )
