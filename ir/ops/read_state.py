"""read_state: the value a state tensor holds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from ..op import Op, Problem, Tensors


@dataclass(frozen=True)
class ReadState(Op):
    """y = contents of `state` at this place in the order of ops."""

    state: str
    y: str

    INPUTS: ClassVar[tuple[str, ...]] = ()

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        return ()

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        return (tensors[self.y].shape,)
