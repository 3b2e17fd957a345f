"""Operators as plain values and back: how files that have no operator of the kind carry one.

A plain operator is {"in": fields of operands present, "out": ..., "attributes": {field: value}}; values are
numbers, strings, booleans, null, lists of them, and objects for attributes that are dataclasses.
"""

from __future__ import annotations

import types
import typing
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from .op import Op


def attribute_names(kind: type[Op]) -> tuple[str, ...]:
    """Fields of an operator that are neither its name nor operands."""
    operands = {"name", *kind.INPUTS, *kind.OUTPUTS}
    return tuple(f.name for f in fields(kind) if f.name not in operands)


def to_plain(op: Op) -> dict[str, Any]:
    """The operator without the names of its operands, which the file has in the order of the fields.

    Raises TypeError for operators with a variable number of operands.
    """
    plain: dict[str, Any] = {}
    for key, names in (("in", op.INPUTS), ("out", op.OUTPUTS)):
        present = [n for n in names if getattr(op, n) is not None]
        if any(isinstance(getattr(op, n), tuple) for n in present):
            raise TypeError(f"{op.kind()} has a variable number of operands")
        plain[key] = present
    plain["attributes"] = {n: _plain(getattr(op, n)) for n in attribute_names(type(op))}
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    return [_plain(v) for v in value] if isinstance(value, tuple) else value


def from_plain(
    kind: type[Op], name: str, plain: Any, inputs: tuple[str, ...], outputs: tuple[str, ...]
) -> Op:
    """The operator of class `kind` that `plain` describes; nothing in it is trusted.

    Raises ValueError, saying what is wrong, unless every attribute is there once and has its field's type.
    """
    if not isinstance(plain, dict) or set(plain) != {"in", "out", "attributes"}:
        raise ValueError("an operator is described by in, out and attributes")
    operands: dict[str, str | None] = dict.fromkeys((*kind.INPUTS, *kind.OUTPUTS))
    for key, known, given in (("in", kind.INPUTS, inputs), ("out", kind.OUTPUTS, outputs)):
        present = plain[key]
        if not isinstance(present, list) or present != [n for n in known if n in present]:
            raise ValueError(f"{key!r} must list some of {', '.join(known)}, in order")
        if len(present) != len(given):
            raise ValueError(f"{key!r} must name {len(given)} operands")
        operands.update(zip(present, given, strict=True))
    hints = typing.get_type_hints(kind)
    if missing := [n for n, v in operands.items() if v is None and hints[n] is str]:
        raise ValueError(f"operand {missing[0]!r} must be present")
    attributes, names = plain["attributes"], attribute_names(kind)
    if not isinstance(attributes, dict) or set(attributes) != set(names):
        raise ValueError(f"attributes must be {', '.join(names)}")
    values = {n: _typed(attributes[n], hints[n], n) for n in names}
    return kind(name=name, **operands, **values)  # type: ignore[arg-type]


def _typed(value: Any, hint: Any, what: str) -> Any:
    """The plain value as one of type `hint`. Raises ValueError."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        if value is None and type(None) in arguments:
            return None
        return _one_of(value, [a for a in arguments if a is not type(None)], what)
    if origin is tuple:
        return _tuple(value, arguments, what)
    if isinstance(hint, type) and issubclass(hint, Enum):
        if value not in [member.value for member in hint]:
            raise ValueError(f"{what} must be one of {', '.join(str(m.value) for m in hint)}")
        return hint(value)
    if is_dataclass(hint):
        own = typing.get_type_hints(hint)
        names = [f.name for f in fields(hint)]
        if not isinstance(value, dict) or set(value) != set(names):
            raise ValueError(f"{what} must have {', '.join(names)}")
        return hint(**{n: _typed(value[n], own[n], f"{what}.{n}") for n in names})  # type: ignore[operator]
    if hint is float and type(value) in (int, float):
        return float(value)
    if hint not in (bool, int, str) or type(value) is not hint:
        raise ValueError(f"{what} must be {getattr(hint, '__name__', hint)}")
    return value


def _one_of(value: Any, hints: list[Any], what: str) -> Any:
    """The value as the first type that it has. Raises ValueError."""
    for hint in hints[:-1]:
        try:
            return _typed(value, hint, what)
        except ValueError:
            continue
    return _typed(value, hints[-1], what)


_MOST = 64
"""Elements of a list: dimensions, directions, gate functions."""


def _tuple(value: Any, arguments: tuple[Any, ...], what: str) -> tuple[Any, ...]:
    if not isinstance(value, list) or len(value) > _MOST:
        raise ValueError(f"{what} must be a list of at most {_MOST} elements")
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return tuple(_typed(v, arguments[0], what) for v in value)
    if len(value) != len(arguments):
        raise ValueError(f"{what} must have {len(arguments)} elements")
    return tuple(_typed(v, a, what) for v, a in zip(value, arguments, strict=True))
