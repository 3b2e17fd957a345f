"""Operators that TensorFlow Lite has not, as this tool writes them: custom operators with JSON attributes."""

from __future__ import annotations

import json
from typing import Any

import tflite

from ...ir.attributes import from_plain
from ...ir.op import Op
from ...ir.ops import OPS
from .builder import Converter, OpImport
from .tensors import Unsupported

PREFIX = "Patchloom."
"""What names of our custom operators start with; the operator's kind follows."""

MAX_ATTRIBUTES = 1 << 12
"""Bytes of JSON an operator has at most."""


def _convert(op: OpImport) -> None:
    kinds: dict[str, type[Op]] = {PREFIX + k.kind(): k for k in OPS}
    kind = kinds.get(op.raw.custom)
    if kind is None:
        raise Unsupported("the operator must be one of those `patchloom ops` lists", op.raw.code_name)
    if any(i < 0 for i in op.raw.inputs):
        raise Unsupported("operands of a custom operator are all present", "an absent one")
    inputs = tuple(op.x(i) for i in range(len(op.raw.inputs)))
    outputs = tuple(op.y(i) for i in range(len(op.raw.outputs)))
    try:
        made = from_plain(kind, op.name(), _attributes(op.raw.custom_options), inputs, outputs)
    except ValueError as error:
        raise Unsupported("a custom operator carries its attributes", str(error)) from None
    try:
        op.emit(made)
    except (ArithmeticError, AssertionError, LookupError, TypeError, ValueError) as error:
        # Rules may rely on what frontends never build.
        raise Unsupported("attributes of a custom operator must fit its operands", str(error)) from None


def _attributes(data: bytes) -> Any:
    if len(data) > MAX_ATTRIBUTES:
        raise ValueError(f"{len(data)} bytes of attributes, at most {MAX_ATTRIBUTES} are read")
    try:
        return json.loads(data.decode())
    except (UnicodeDecodeError, RecursionError, json.JSONDecodeError) as error:
        raise ValueError(f"attributes are no JSON: {error}") from None


CONVERTERS: dict[int, Converter] = {tflite.BuiltinOperator.CUSTOM: _convert}
