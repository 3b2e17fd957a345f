"""lstm: a recurrent layer with a memory and input, output and forget gates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..cases import Draw
from ..graph import Graph
from ..op import Tensors
from ..recurrent import Cell, RecurrentOp, draw_recurrent


@dataclass(frozen=True)
class Lstm(RecurrentOp):
    """c = f_gate * c + i * g(...), h = o * h(c), gates in the order i, o, f, c. See RecurrentOp.

    initial_c     [D,B,H] or absent (zeros)
    peepholes     [D,3*H], in the order i, o, f: the memory times these is added to the gates' sums (for o
                  the new memory); or absent
    y_c           [D,B,H], the last memories, or absent
    input_forget  the forget gate is 1 - i
    functions     f (of the gates i, o, f), g, h per direction
    """

    initial_c: str | None = None
    peepholes: str | None = None
    y_c: str | None = None
    input_forget: bool = False

    INPUTS: ClassVar[tuple[str, ...]] = (*RecurrentOp.INPUTS, "initial_c", "peepholes")
    OUTPUTS: ClassVar[tuple[str, ...]] = (*RecurrentOp.OUTPUTS, "y_c")
    GATES: ClassVar[int] = 4
    FUNCTIONS: ClassVar[int] = 3

    def shapes(self, tensors: Tensors) -> dict[str, tuple[int, ...]]:
        shapes = super().shapes(tensors)
        state = shapes["y_h"]
        return {**shapes, "initial_c": state, "peepholes": (state[0], 3 * state[2]), "y_c": state}

    def step(self, cell: Cell, wx: np.ndarray, h: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        i, o, f, g = np.split(wx + cell.recurrence @ h + cell.bias, 4)
        pi, po, pf = np.split(cell.peepholes, 3)
        i = cell.gate(0, i + pi * c)
        f = 1 - i if self.input_forget else cell.gate(0, f + pf * c)
        memory = f * c + i * cell.gate(1, g)
        return cell.gate(0, o + po * memory) * cell.functions[2](memory), memory

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        coupled = draw.choice([False, False, True])
        return draw_recurrent(
            draw, lambda fields: cls(**fields, input_forget=coupled), cls, ("Sigmoid", "Tanh", "Tanh")
        )
