"""What rnn, gru and lstm share: operands, rules, the walk over a sequence, gate functions, cases."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from .cases import Draw, draw_data, one_op_graph
from .graph import Graph
from .op import Arrays, Op, Problem, Tensors
from .types import DType, Tensor

DIRECTIONS = ("forward", "reverse", "bidirectional")

_Numbers = tuple[np.float32, np.float32]


_GATES: dict[str, tuple[Callable[[np.ndarray, _Numbers], np.ndarray], float, float]] = {
    "Affine": (lambda v, n: n[0] * v + n[1], 1.0, 0.0),
    "Elu": (lambda v, n: np.where(v >= 0, v, n[0] * np.expm1(np.minimum(v, 0))), 1.0, 0.0),
    "HardSigmoid": (lambda v, n: np.clip(n[0] * v + n[1], 0, 1), 0.2, 0.5),
    "LeakyRelu": (lambda v, n: np.where(v >= 0, v, n[0] * v), 0.01, 0.0),
    "Relu": (lambda v, n: np.maximum(v, 0), 0.0, 0.0),
    "ScaledTanh": (lambda v, n: n[0] * np.tanh(n[1] * v), 1.0, 1.0),
    "Sigmoid": (lambda v, n: 1 / (1 + np.exp(-v)), 0.0, 0.0),
    "Softsign": (lambda v, n: v / (1 + np.abs(v)), 0.0, 0.0),
    "Tanh": (lambda v, n: np.tanh(v), 0.0, 0.0),
    "ThresholdedRelu": (lambda v, n: np.where(v >= n[0], v, 0), 1.0, 0.0),
}
"""Function, default alpha and beta by ONNX's names; kernels know them by their place in this table.

Softplus is left out: no trained model has it here, and its logarithm would be in every library.
"""

GATE_FUNCTIONS = tuple(_GATES)


@dataclass(frozen=True)
class GateFunction:
    """An activation function of a gate, named as in ONNX, with its parameters."""

    name: str
    alpha: float = 0.0
    beta: float = 0.0

    @staticmethod
    def of(name: str, alpha: float | None = None, beta: float | None = None) -> GateFunction:
        """With default parameters where none are given; any case of letters. KeyError: no such function."""
        known = {n.lower(): n for n in GATE_FUNCTIONS}[name.lower()]
        _, default_alpha, default_beta = _GATES[known]
        return GateFunction(
            known, default_alpha if alpha is None else alpha, default_beta if beta is None else beta
        )

    @property
    def code(self) -> int:
        """How kernels call it."""
        return GATE_FUNCTIONS.index(self.name)

    def __call__(self, v: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            return np.asarray(_GATES[self.name][0](v, (np.float32(self.alpha), np.float32(self.beta))))

    def __str__(self) -> str:
        return f"{self.name}({self.alpha:g},{self.beta:g})"


@dataclass(frozen=True, eq=False)
class Cell:
    """One direction of a recurrent layer: its recurrence [gates*H,H] and bias, functions, peepholes, clip."""

    recurrence: np.ndarray
    bias: np.ndarray
    functions: tuple[GateFunction, ...]
    peepholes: np.ndarray
    clip: float

    def gate(self, index: int, v: np.ndarray) -> np.ndarray:
        """The `index`-th function of the clipped sum v."""
        return self.functions[index](np.clip(v, np.float32(-self.clip), np.float32(self.clip)))


@dataclass(frozen=True)
class RecurrentOp(Op):
    """A layer that walks over a sequence with a hidden state, semantics of ONNX (layout 0), float32.

    x            [T,B,I]; weights [D,G*H,I]; recurrence [D,G*H,H]; D directions (2 when bidirectional),
                 G = GATES gates of H units in ONNX's order; operands may be constant or computed
    bias         [D,2*G*H] for weights and recurrence, or absent
    lengths      [B] int32: steps of each sequence; later ones give zeros, as does a sequence of no steps
                 (there onnxruntime is followed: ONNX does not say); or absent
    initial_h    [D,B,H] or absent (zeros)
    y, y_h       all hidden states [T,D,B,H], the last ones [D,B,H]; each may be absent
    direction    one of DIRECTIONS
    functions    FUNCTIONS functions per direction, in ONNX's order f, g, h
    clip         sums are clipped to [-clip, clip] before each function of a gate
    """

    x: str
    weights: str
    recurrence: str
    bias: str | None
    lengths: str | None
    initial_h: str | None
    y: str | None
    y_h: str | None
    direction: str
    functions: tuple[GateFunction, ...]
    clip: float = math.inf

    INPUTS: ClassVar[tuple[str, ...]] = ("x", "weights", "recurrence", "bias", "lengths", "initial_h")
    OUTPUTS: ClassVar[tuple[str, ...]] = ("y", "y_h")
    GATES: ClassVar[int]
    FUNCTIONS: ClassVar[int]

    @property
    def directions(self) -> int:
        return 2 if self.direction == "bidirectional" else 1

    def hidden(self, tensors: Tensors) -> int:
        """Units of the hidden state."""
        return tensors[self.recurrence].shape[-1]

    def shapes(self, tensors: Tensors) -> dict[str, tuple[int, ...]]:
        """The shape every operand field must have, from those of x and recurrence; y and y_h included."""
        steps, batch, inputs = tensors[self.x].shape
        d, h, g = self.directions, self.hidden(tensors), self.GATES
        return {
            "x": (steps, batch, inputs),
            "weights": (d, g * h, inputs),
            "recurrence": (d, g * h, h),
            "bias": (d, 2 * g * h),
            "lengths": (batch,),
            "initial_h": (d, batch, h),
            "y": (steps, d, batch, h),
            "y_h": (d, batch, h),
        }

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        x, r = tensors[self.x], tensors[self.recurrence]
        if self.direction not in DIRECTIONS:
            yield Problem(f"direction must be one of {', '.join(DIRECTIONS)}", self.direction)
            return
        if len(x.shape) != 3 or len(r.shape) != 3 or 0 in (*x.shape, *r.shape):
            yield Problem("input must be [T,B,I] and recurrence [D,G*H,H]", f"{x.shape} and {r.shape}")
            return
        for field, shape in self.shapes(tensors).items():
            name = getattr(self, field)
            if name is None or field in self.OUTPUTS:
                continue
            t, dtype = tensors[name], DType.INT32 if field == "lengths" else DType.FLOAT32
            if t.shape != shape or t.dtype is not dtype:
                found = f"{name!r} is {t.dtype.value}{list(t.shape)}"
                yield Problem(f"{field} must be {dtype.value}{list(shape)}", found)
        if not self.outputs:
            yield Problem("a recurrent layer must have an output", "none")
        if any(tensors[y].dtype is not DType.FLOAT32 for y in self.outputs):
            yield Problem("outputs must be float32", str([tensors[y].dtype.value for y in self.outputs]))
        if len(self.functions) != self.FUNCTIONS * self.directions:
            wanted = self.FUNCTIONS * self.directions
            yield Problem(f"{wanted} activation functions are needed", str(len(self.functions)))
        if unknown := [f.name for f in self.functions if f.name not in GATE_FUNCTIONS]:
            yield Problem(f"activation functions are {', '.join(GATE_FUNCTIONS)}", ", ".join(unknown))
        if not self.clip > 0:
            yield Problem("clip must be positive", f"{self.clip:g}")

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        shapes = self.shapes(tensors)
        return tuple(shapes[f] for f in self.OUTPUTS if getattr(self, f) is not None)

    def macs(self, tensors: Tensors) -> int:
        steps, batch, _ = tensors[self.x].shape
        return steps * batch * (tensors[self.weights].elements + tensors[self.recurrence].elements)

    def step(self, cell: Cell, wx: np.ndarray, h: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The next hidden state and memory; wx [G*H]: product of weights and input, their bias added."""
        raise TypeError(f"{self.kind()} has no cell")

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        given = dict(zip(self.inputs, inputs, strict=True))
        shapes = self.shapes(tensors)

        def operand(field: str) -> np.ndarray:
            name = getattr(self, field, None)
            return np.zeros(shapes.get(field, ()), np.float32) if name is None else given[name]

        steps, batch, _ = shapes["x"]
        results = {f: np.zeros(shapes.get(f, ()), np.float32) for f in ("y", "y_h", "y_c")}
        lengths = np.full(batch, steps) if self.lengths is None else np.clip(given[self.lengths], 0, steps)
        for d in range(self.directions):
            wb, rb = np.split(operand("bias")[d], 2)
            peepholes = operand("peepholes")
            functions = self.functions[d * self.FUNCTIONS : (d + 1) * self.FUNCTIONS]
            cell = Cell(
                operand("recurrence")[d],
                rb,
                functions,
                peepholes[d] if peepholes.ndim else peepholes,
                self.clip,
            )
            for b in range(batch):
                walk = range(int(lengths[b]))
                started = np.float32(len(walk) > 0)
                h = operand("initial_h")[d, b] * started
                c = operand("initial_c")[d, b] * started if "initial_c" in shapes else h
                for t in walk if self.direction != "reverse" and d == 0 else reversed(walk):
                    h, c = self.step(cell, operand("weights")[d] @ given[self.x][t, b] + wb, h, c)
                    results["y"][t, d, b] = h
                results["y_h"][d, b] = h
                if results["y_c"].ndim:
                    results["y_c"][d, b] = c
        return tuple(results[f] for f in self.OUTPUTS if getattr(self, f) is not None)


Make = Callable[[Mapping[str, Any]], RecurrentOp]


def draw_recurrent(draw: Draw, make: Make, kind: type[RecurrentOp], defaults: tuple[str, ...]) -> Graph:
    """A random one-op graph; defaults: the usual functions of a direction; make gets the base's fields."""
    rng = draw.rng()
    direction = draw.choice(list(DIRECTIONS))
    directions = 2 if direction == "bidirectional" else 1
    names = draw.choice([defaults, defaults, tuple(draw.choice(list(GATE_FUNCTIONS)) for _ in defaults)])
    optional = ("bias", "lengths", "initial_h", "initial_c", "peepholes")
    present = {f: f if f in kind.INPUTS and draw.choice([True, True, False]) else None for f in optional}
    outputs = draw.choice([kind.OUTPUTS, kind.OUTPUTS[:1], kind.OUTPUTS[1:]])
    fields: dict[str, Any] = {
        "name": "layer",
        "x": "x",
        "weights": "weights",
        "recurrence": "recurrence",
        **{f: v for f, v in present.items() if f in kind.INPUTS},
        **{f: f if f in outputs else None for f in kind.OUTPUTS},
        "direction": direction,
        "functions": tuple(GateFunction.of(n) for n in names) * directions,
        "clip": draw.choice([math.inf, math.inf, 0.75]),
    }
    op = make(fields)
    h, batch = draw.integer(1, 6), draw.choice([1, 1, 3])
    x = Tensor("x", (draw.integer(1, 5), batch, draw.integer(1, 7)), DType.FLOAT32)
    tensors = {"x": x, "recurrence": Tensor("recurrence", (directions, kind.GATES * h, h), DType.FLOAT32)}
    constant = draw.choice([True, True, False])
    for field, shape in op.shapes(tensors).items():
        if field == "lengths" and op.lengths:
            data = rng.integers(0, shape[0] + x.shape[0], shape).astype(np.int32)
            tensors[field] = Tensor(field, shape, DType.INT32, None, np.minimum(data, x.shape[0]))
        elif field in kind.OUTPUTS:
            tensors[field] = Tensor(field, (), DType.FLOAT32)
        elif field != "x" and getattr(op, field, None):
            values = np.asarray(draw_data(draw, shape, DType.FLOAT32) * np.float32(0.5))
            is_weight = field not in ("initial_h", "initial_c")
            tensors[field] = Tensor(
                field, shape, DType.FLOAT32, None, values if constant and is_weight else None
            )
    return one_op_graph(op, [t for n, t in tensors.items() if n in (*op.inputs, *op.outputs)])
