"""write_state: put a value into a state tensor."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from ..op import Op, Problem, Tensors


@dataclass(frozen=True)
class WriteState(Op):
    """`state` = x from this place in the order of ops on."""

    state: str
    x: str

    OUTPUTS: ClassVar[tuple[str, ...]] = ()

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        return ()

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        return ()
