"""Importers of recurrent layers."""

from __future__ import annotations

from math import inf

from ...ir import DType
from ...ir.ops.cast import Cast
from ...ir.ops.gru import Gru
from ...ir.ops.lstm import Lstm
from ...ir.ops.rnn import Rnn
from ...ir.ops.transpose import Transpose
from ...ir.recurrent import DIRECTIONS, GateFunction
from ..tflite.tensors import Unsupported
from .builder import Converter
from .node import NodeImport

_DEFAULTS = {"LSTM": ("Sigmoid", "Tanh", "Tanh"), "GRU": ("Sigmoid", "Tanh"), "RNN": ("Tanh",)}


def _functions(op: NodeImport, directions: int) -> tuple[GateFunction, ...]:
    """Activation functions with their parameters, which are listed for those that have any."""
    given = op.attribute("activations")
    names = (
        [n.decode(errors="replace") for n in given] if given else [*_DEFAULTS[op.node.op_type]] * directions
    )
    alphas, betas = (list(op.attribute(f"activation_{a}") or ()) for a in ("alpha", "beta"))
    functions = []
    for name in names:
        try:
            function = GateFunction.of(name)
        except KeyError:
            raise Unsupported("activations are those ONNX names", name[:60]) from None
        alpha = float(alphas.pop(0)) if alphas and function.name in _WITH_ALPHA else None
        beta = float(betas.pop(0)) if betas and function.name in _WITH_BETA else None
        functions.append(GateFunction.of(name, alpha, beta))
    return tuple(functions)


_WITH_ALPHA = ("Affine", "Elu", "HardSigmoid", "LeakyRelu", "ScaledTanh", "ThresholdedRelu")
_WITH_BETA = ("Affine", "HardSigmoid", "ScaledTanh")


def _batch_second(op: NodeImport, x: str, perm: tuple[int, ...] = (1, 0, 2)) -> str:
    """A value of layout 1, batch first, as those of layout 0."""
    moved = op.temporary("moved", like=x)
    op.emit(Transpose(op.name(), x, moved, perm))
    return moved


def _lengths(op: NodeImport, steps: int) -> str | None:
    """Lengths that are all the whole sequence are left out."""
    known = op.known(4)
    if not op.has(4) or (known is not None and (known == steps).all()):
        return None
    if op.dtype(4) is DType.INT32:
        return op.x(4)
    lengths = op.temporary("lengths", DType.INT32)
    op.emit(Cast(op.name(), op.x(4), lengths))
    return lengths


def _recurrent(op: NodeImport) -> None:
    """LSTM, GRU and RNN; with layout 1 batches come first, which transposes change."""
    shape, swapped = op.shape(), bool(op.integer("layout", 0))
    if len(shape) != 3:
        raise Unsupported("the input is [steps, batch, features]", str(list(shape)))
    direction = op.text("direction", "forward")
    if direction not in DIRECTIONS:
        raise Unsupported(f"direction is one of {', '.join(DIRECTIONS)}", direction)
    kind = op.node.op_type
    directions = 2 if direction == "bidirectional" else 1
    x = _batch_second(op, op.x()) if swapped else op.x()
    states = [op.optional(i) for i in (5, 6)]
    if swapped:
        states = [None if s is None else _batch_second(op, s) for s in states]
    outputs = [_Output(op, i, swapped) if op.wanted(i) else None for i in range(3 if kind == "LSTM" else 2)]
    names = [o.name if o else None for o in outputs]
    if not any(names):
        return
    fields = (
        op.name(), x, op.x(1), op.x(2), op.optional(3), _lengths(op, op.tensor(x).shape[0]), states[0],
        names[0], names[1], direction, _functions(op, directions), op.number("clip", inf),
    )  # fmt: skip
    if kind == "LSTM":
        op.emit(
            Lstm(
                *fields,
                initial_c=states[1],
                peepholes=op.optional(7),
                y_c=names[2],
                input_forget=bool(op.integer("input_forget", 0)),
            )
        )
    elif kind == "GRU":
        op.emit(Gru(*fields, linear_before_reset=bool(op.integer("linear_before_reset", 0))))
    else:
        op.emit(Rnn(*fields))
    for output in outputs:
        if output:
            output.finish()


class _Output:
    """An output of a recurrent layer, moved behind it where batches come first."""

    def __init__(self, op: NodeImport, position: int, swapped: bool) -> None:
        self._op, self._position, self._swapped = op, position, swapped
        self.name = op.temporary("steps") if swapped else op.y(position)

    def finish(self) -> None:
        """Emit the transpose: [steps, directions, batch, units] or [directions, batch, units]."""
        if self._swapped:
            op = self._op
            perm = (2, 0, 1, 3) if self._position == 0 else (1, 0, 2)
            op.emit(Transpose(op.name(), self.name, op.y(self._position, like=self.name), perm))


CONVERTERS: dict[str, Converter] = {"GRU": _recurrent, "LSTM": _recurrent, "RNN": _recurrent}
