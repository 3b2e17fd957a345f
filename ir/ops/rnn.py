"""rnn: a recurrent layer without gates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..cases import Draw
from ..graph import Graph
from ..recurrent import Cell, RecurrentOp, draw_recurrent


@dataclass(frozen=True)
class Rnn(RecurrentOp):
    """h = f(weights x + recurrence h + bias); one function f per direction. See RecurrentOp."""

    GATES: ClassVar[int] = 1
    FUNCTIONS: ClassVar[int] = 1

    def step(self, cell: Cell, wx: np.ndarray, h: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return cell.gate(0, wx + cell.recurrence @ h + cell.bias), c

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        return draw_recurrent(draw, lambda fields: cls(**fields), cls, ("Tanh",))
