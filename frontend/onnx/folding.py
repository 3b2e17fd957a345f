"""What depends on shapes and constants only is computed at import, with NumPy.

Exporters leave chains such as Shape, Gather, Concat, Reshape or Equal, Where, Expand behind; their values
are integers of any type, which mostly have no place in the graph. Results have a bounded size before they
are computed.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np

from ..tflite.builder import axis_of
from ..tflite.model import MAX_ELEMENTS
from ..tflite.tensors import Unsupported
from .node import NodeImport
from .slicing import slice_spec, taken
from .tensors import numpy_type

Arrays = list[np.ndarray]
Evaluator = Callable[[NodeImport, Arrays], np.ndarray]


def check_size(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape. Raises Unsupported when no constant may have it."""
    if any(n < 0 for n in shape) or prod(shape) > MAX_ELEMENTS:
        raise Unsupported(f"a constant has at most {MAX_ELEMENTS} elements", str(list(shape)))
    return shape


def _integers(data: np.ndarray) -> tuple[int, ...]:
    if data.dtype.kind not in "iu" or data.size > 64:
        raise Unsupported("shapes are at most 64 integers", f"{data.dtype}{list(data.shape)}")
    return tuple(int(v) for v in data.ravel())


def on_constants(evaluate: Evaluator) -> Callable[[NodeImport], Arrays | None]:
    """A folder of one output for nodes whose operands are all constant."""

    def fold(op: NodeImport) -> Arrays | None:
        operands = [op.known(i) for i in range(op.count()) if op.has(i)]
        given = [x for x in operands if x is not None]
        if not given or len(given) < len(operands):
            return None
        try:
            with np.errstate(all="ignore"):
                result = np.asarray(evaluate(op, given))
        except (ValueError, IndexError, OverflowError, TypeError, ZeroDivisionError) as error:
            raise Unsupported("arithmetic on constants must be valid", str(error)[:200]) from None
        check_size(result.shape)
        return [result]

    return fold


def _elementwise(function: Callable[..., np.ndarray], keep_type: bool = True) -> Evaluator:
    def evaluate(op: NodeImport, xs: Arrays) -> np.ndarray:
        check_size(np.broadcast_shapes(*(x.shape for x in xs)))
        result = function(*xs)
        return np.asarray(result).astype(xs[0].dtype) if keep_type else result

    return evaluate


def _variadic(function: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Evaluator:
    def evaluate(op: NodeImport, xs: Arrays) -> np.ndarray:
        check_size(np.broadcast_shapes(*(x.shape for x in xs)))
        result = xs[0]
        for x in xs[1:]:
            result = function(result, x)
        return result.astype(xs[0].dtype)

    return evaluate


def _divide(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """ONNX's integer division truncates."""
    if a.dtype.kind == "f":
        return a / b
    if not b.all():
        raise ZeroDivisionError("integer division by 0")
    return np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b))


def _where(condition: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.where(condition, a, b)


def _mod(op: NodeImport, xs: Arrays) -> np.ndarray:
    a, b = xs
    check_size(np.broadcast_shapes(a.shape, b.shape))
    if a.dtype.kind != "f" and not b.all():
        raise ZeroDivisionError("remainder by 0")
    return np.fmod(a, b) if op.integer("fmod", 0) else np.mod(a, b)


def _shape(op: NodeImport) -> Arrays | None:
    """The shape of any value, part of it since operator set 15."""
    shape = op.shape()
    begin, end = op.integer("start", 0), op.integer("end", len(shape))
    return [np.array(shape[slice(begin, end)], np.int64)]


def _size(op: NodeImport) -> Arrays | None:
    return [np.array(prod(op.shape()), np.int64)]


def _constant(op: NodeImport) -> Arrays | None:
    """The attribute that is there gives type and value."""
    if (tensor := op.tensor_attribute("value")) is not None:
        return [tensor]
    for name, kind in (("value_float", np.float32), ("value_int", np.int64)):
        if (value := op.attribute(name)) is not None:
            return [np.array(value, kind)]
    for name, kind in (("value_floats", np.float32), ("value_ints", np.int64)):
        if (values := op.attribute(name)) is not None:
            return [np.array(list(values), kind)]
    raise Unsupported("constants are dense numbers", ", ".join(a.name for a in op.node.attribute)[:200])


def _constant_of_shape(op: NodeImport, xs: Arrays) -> np.ndarray:
    value = op.tensor_attribute("value")
    fill = np.zeros(1, np.float32) if value is None else value.reshape(1)
    return np.full(check_size(_integers(xs[0])), fill[0], fill.dtype)


def _range(op: NodeImport, xs: Arrays) -> np.ndarray:
    start, limit, delta = (x.reshape(()).item() for x in xs)
    count = max(0, int(np.ceil((limit - start) / delta)))
    check_size((count,))
    return (start + delta * np.arange(count)).astype(xs[0].dtype)


def resolved_shape(target: tuple[int, ...], shape: tuple[int, ...], allow_zero: bool) -> tuple[int, ...]:
    """A Reshape's target with -1 worked out and 0 copied from the input. Raises Unsupported."""
    full = tuple(
        shape[i] if n == 0 and not allow_zero and i < len(shape) else n for i, n in enumerate(target)
    )
    known = prod(n for n in full if n != -1)
    if full.count(-1) > 1 or any(n < -1 for n in full) or (-1 in full and (not known or prod(shape) % known)):
        raise Unsupported("a reshape must keep the number of elements", f"{list(shape)} to {list(target)}")
    return tuple(prod(shape) // known if n == -1 else n for n in full)


def _reshape(op: NodeImport, xs: Arrays) -> np.ndarray:
    return xs[0].reshape(resolved_shape(_integers(xs[1]), xs[0].shape, bool(op.integer("allowzero", 0))))


def squeezed(op: NodeImport, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape behind a Squeeze. Raises Unsupported."""
    axes = op.axes_input(1, len(shape))
    drop = {i for i, n in enumerate(shape) if n == 1} if axes is None else set(axes)
    if any(shape[i] != 1 for i in drop):
        raise Unsupported("squeezed dimensions have size 1", f"{sorted(drop)} of {list(shape)}")
    return tuple(n for i, n in enumerate(shape) if i not in drop)


def unsqueezed(op: NodeImport, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape behind an Unsqueeze. Raises Unsupported."""
    given = op.ints_attribute("axes")
    axes = op.ints(1, "axes") if given is None else given
    rank = len(shape) + len(axes)
    places = {axis_of(a, rank, "axes") for a in axes}
    if len(places) != len(axes):
        raise Unsupported("axes are different", str(list(axes)))
    rest = iter(shape)
    return tuple(1 if i in places else next(rest) for i in range(rank))


def _expand(op: NodeImport, xs: Arrays) -> np.ndarray:
    shape = check_size(np.broadcast_shapes(xs[0].shape, check_size(_integers(xs[1]))))
    return np.broadcast_to(xs[0], shape).copy()


def _tile(op: NodeImport, xs: Arrays) -> np.ndarray:
    repeats = _integers(xs[1])
    check_size(tuple(n * r for n, r in zip(xs[0].shape, repeats, strict=True)))
    return np.tile(xs[0], repeats)


def _gather(op: NodeImport, xs: Arrays) -> np.ndarray:
    axis = op.axis(xs[0].ndim, 0)
    shape = (*xs[0].shape[:axis], *xs[1].shape, *xs[0].shape[axis + 1 :])
    check_size(shape)
    return np.take(xs[0], xs[1].astype(np.int64), axis)


def _concat(op: NodeImport, xs: Arrays) -> np.ndarray:
    check_size((sum(x.size for x in xs),))
    return np.concatenate(xs, op.axis(xs[0].ndim))


def _slice(op: NodeImport, xs: Arrays) -> np.ndarray:
    return taken(xs[0], slice_spec(op, xs[0].shape, empty=True))


def _cast(op: NodeImport, xs: Arrays) -> np.ndarray:
    kind = numpy_type(op.integer("to", 0), op.base)
    return xs[0] != 0 if kind == np.bool_ else xs[0].astype(kind)


def _transpose(op: NodeImport, xs: Arrays) -> np.ndarray:
    perm = op.ints_attribute("perm")
    return np.ascontiguousarray(xs[0].transpose(perm if perm is not None else None))


def _reduced(function: Callable[..., np.ndarray]) -> Evaluator:
    def evaluate(op: NodeImport, xs: Arrays) -> np.ndarray:
        axes = op.axes_input(1, xs[0].ndim)
        if axes is None and op.integer("noop_with_empty_axes", 0):
            return xs[0]
        keep = bool(op.integer("keepdims", 1))
        return np.asarray(function(xs[0], axis=axes or None, keepdims=keep)).astype(xs[0].dtype)

    return evaluate


def _split(op: NodeImport) -> Arrays | None:
    x = op.known(0)
    if x is None:
        return None
    from .ops_movement import split_sizes

    axis, sizes = split_sizes(op, x.shape)
    return list(np.split(x, np.cumsum(sizes)[:-1], axis))


def _nonzero(op: NodeImport, xs: Arrays) -> np.ndarray:
    check_size((xs[0].ndim * xs[0].size,))
    return np.array(np.nonzero(xs[0]), np.int64)


def _identity(op: NodeImport, xs: Arrays) -> np.ndarray:
    return xs[0]


def _trilu(op: NodeImport, xs: Arrays) -> np.ndarray:
    k = int(xs[1].reshape(())) if len(xs) > 1 else 0
    return np.triu(xs[0], k) if op.integer("upper", 1) else np.tril(xs[0], k)


def _cumsum(op: NodeImport, xs: Arrays) -> np.ndarray:
    if op.integer("exclusive", 0) or op.integer("reverse", 0):
        raise Unsupported("a cumulative sum of constants is inclusive and forward", "another one")
    return np.cumsum(xs[0], int(xs[1].reshape(())), dtype=xs[0].dtype)


def _eye_like(op: NodeImport) -> Arrays | None:
    shape = op.shape()
    if len(shape) != 2:
        raise Unsupported("the input is a matrix", str(list(shape)))
    known = op.known(0)
    code = op.integer("dtype")
    kind = numpy_type(code, op.base) if code else (op.dtype().numpy if known is None else known.dtype)
    rows, columns = check_size(shape)
    return [np.eye(rows, columns, k=op.integer("k", 0), dtype=kind)]


_UNARY: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "Abs": np.abs, "Ceil": np.ceil, "Exp": np.exp, "Floor": np.floor, "Log": np.log, "Neg": np.negative,
    "Not": np.logical_not, "Reciprocal": np.reciprocal, "Round": np.rint, "Sign": np.sign, "Sqrt": np.sqrt,
    "Cos": np.cos, "Sin": np.sin,
}  # fmt: skip
_BINARY: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "Add": np.add, "And": np.logical_and, "Div": _divide, "Mul": np.multiply, "Or": np.logical_or,
    "Pow": np.power, "Sub": np.subtract, "Xor": np.logical_xor,
}  # fmt: skip
_COMPARISONS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "Equal": np.equal, "Greater": np.greater, "GreaterOrEqual": np.greater_equal, "Less": np.less,
    "LessOrEqual": np.less_equal,
}  # fmt: skip
_OTHERS: dict[str, Evaluator] = {
    "Cast": _cast,
    "Concat": _concat,
    "ConstantOfShape": _constant_of_shape,
    "CumSum": _cumsum,
    "Dropout": _identity,
    "Expand": _expand,
    "Gather": _gather,
    "Identity": _identity,
    "Max": _variadic(np.maximum),
    "Min": _variadic(np.minimum),
    "Mod": _mod,
    "NonZero": _nonzero,
    "Range": _range,
    "ReduceMax": _reduced(np.max),
    "ReduceMin": _reduced(np.min),
    "ReduceProd": _reduced(np.prod),
    "ReduceSum": _reduced(np.sum),
    "Reshape": _reshape,
    "Slice": _slice,
    "Squeeze": lambda op, xs: xs[0].reshape(squeezed(op, xs[0].shape)),
    "Sum": _variadic(np.add),
    "Tile": _tile,
    "Transpose": _transpose,
    "Trilu": _trilu,
    "Unsqueeze": lambda op, xs: xs[0].reshape(check_size(unsqueezed(op, xs[0].shape))),
    "Where": _elementwise(_where, keep_type=False),
}
FOLDERS: dict[str, Callable[[NodeImport], Arrays | None]] = {
    "Constant": _constant,
    "EyeLike": _eye_like,
    "Shape": _shape,
    "Size": _size,
    "Split": _split,
    **{name: on_constants(_elementwise(f)) for name, f in (_UNARY | _BINARY).items()},
    **{name: on_constants(_elementwise(f, keep_type=False)) for name, f in _COMPARISONS.items()},
    **{name: on_constants(f) for name, f in _OTHERS.items()},
}
"""Evaluators by operator; they return None where an operand is computed."""
