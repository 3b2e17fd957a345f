"""gru: a recurrent layer with update and reset gates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..cases import Draw
from ..graph import Graph
from ..recurrent import Cell, RecurrentOp, draw_recurrent


@dataclass(frozen=True)
class Gru(RecurrentOp):
    """z, r = f(...), n = g(...), h = (1 - z) * n + z * h, gates in the order z, r, n. See RecurrentOp.

    linear_before_reset  True: n = g(Wn x + Wbn + r * (Rn h + Rbn)), as PyTorch and Keras have it;
                         False: n = g(Wn x + Wbn + Rn (r * h) + Rbn)
    functions            f, g per direction
    """

    linear_before_reset: bool = False

    GATES: ClassVar[int] = 3
    FUNCTIONS: ClassVar[int] = 2

    def step(self, cell: Cell, wx: np.ndarray, h: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        n = 2 * len(h)
        z, r = np.split(cell.gate(0, wx[:n] + cell.recurrence[:n] @ h + cell.bias[:n]), 2)
        if self.linear_before_reset:
            candidate = wx[n:] + r * (cell.recurrence[n:] @ h + cell.bias[n:])
        else:
            candidate = wx[n:] + cell.recurrence[n:] @ (r * h) + cell.bias[n:]
        return (1 - z) * cell.gate(1, candidate) + z * h, c

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        linear = draw.choice([False, True])
        return draw_recurrent(
            draw, lambda fields: cls(**fields, linear_before_reset=linear), cls, ("Sigmoid", "Tanh")
        )
