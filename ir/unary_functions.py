"""Functions of one number: what `unary` computes, by name, with NumPy in float32 or on integers."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

Function = Callable[[np.ndarray, np.float32, np.float32], np.ndarray]

_ONE, _HALF = np.float32(1), np.float32(0.5)
_ERF = np.vectorize(math.erf, otypes=[np.float64])


def erf(x: np.ndarray) -> np.ndarray:
    """The error function, computed in double precision and rounded to float32."""
    return np.asarray(_ERF(x.astype(np.float64)) if x.size else x, np.float32)


def _elu(x: np.ndarray, alpha: np.float32) -> np.ndarray:
    return np.where(x < 0, alpha * np.expm1(np.minimum(x, 0)), x)


def _softplus(x: np.ndarray) -> np.ndarray:
    # log(1 + exp(x)) without overflow
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def _gelu_tanh(x: np.ndarray) -> np.ndarray:
    cubic = x + np.float32(0.044715) * x * x * x
    return _HALF * x * (_ONE + np.tanh(np.float32(math.sqrt(2 / math.pi)) * cubic))


def _shrink(x: np.ndarray, alpha: np.float32, beta: np.float32) -> np.ndarray:
    return np.where(x < -alpha, x + beta, np.where(x > alpha, x - beta, np.float32(0)))


FLOAT: dict[str, Function] = {
    "abs": lambda x, a, b: np.abs(x),
    "acos": lambda x, a, b: np.arccos(x),
    "acosh": lambda x, a, b: np.arccosh(x),
    "asin": lambda x, a, b: np.arcsin(x),
    "asinh": lambda x, a, b: np.arcsinh(x),
    "atan": lambda x, a, b: np.arctan(x),
    "atanh": lambda x, a, b: np.arctanh(x),
    "ceil": lambda x, a, b: np.ceil(x),
    "celu": lambda x, a, b: np.maximum(x, 0) + np.minimum(0, a * np.expm1(x / a)),
    "clip": lambda x, a, b: np.where(x < a, a, x).clip(None, b),
    "cos": lambda x, a, b: np.cos(x),
    "cosh": lambda x, a, b: np.cosh(x),
    "elu": lambda x, a, b: _elu(x, a),
    "erf": lambda x, a, b: erf(x),
    "exp": lambda x, a, b: np.exp(x),
    "floor": lambda x, a, b: np.floor(x),
    "gelu": lambda x, a, b: _HALF * x * (_ONE + erf(x * np.float32(math.sqrt(0.5)))),
    "gelu_tanh": lambda x, a, b: _gelu_tanh(x),
    "hard_sigmoid": lambda x, a, b: np.clip(a * x + b, 0, 1),
    "log": lambda x, a, b: np.log(x),
    "mish": lambda x, a, b: x * np.tanh(_softplus(x)),
    "neg": lambda x, a, b: -x,
    "pow": lambda x, a, b: np.power(x, a),
    "reciprocal": lambda x, a, b: _ONE / x,
    "round": lambda x, a, b: np.rint(x),
    "selu": lambda x, a, b: b * _elu(x, a),
    "shrink": _shrink,
    "sign": lambda x, a, b: np.sign(x),
    "sin": lambda x, a, b: np.sin(x),
    "sinh": lambda x, a, b: np.sinh(x),
    "softplus": lambda x, a, b: _softplus(x),
    "softsign": lambda x, a, b: x / (_ONE + np.abs(x)),
    "sqrt": lambda x, a, b: np.sqrt(x),
    "swish": lambda x, a, b: x / (_ONE + np.exp(-a * x)),
    "tan": lambda x, a, b: np.tan(x),
    "thresholded_relu": lambda x, a, b: np.where(x > a, x, np.float32(0)),
}
"""Functions of a float32 and two parameters, to float32."""

TESTS: dict[str, Function] = {
    "isinf": lambda x, a, b: ((x == -np.inf) & (a != 0)) | ((x == np.inf) & (b != 0)),
    "isnan": lambda x, a, b: np.isnan(x),
}
"""Functions of a float32 to bool."""

INTEGER: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "abs": np.abs,
    "bitwise_not": np.invert,
    "neg": np.negative,
    "sign": np.sign,
}
"""Functions of an int64 to int64, which is wrapped to the type afterwards."""
