"""Recurrent layers: equal to onnxruntime's, and every rule. C is compared in test_operators.py."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from onnx_oracle import onnx_node
from op_support import rules
from patchloom.emulation.verify import random_inputs
from patchloom.ir import DType, Graph, Tensor, evaluate
from patchloom.ir.cases import RandomDraw
from patchloom.ir.ops.gru import Gru
from patchloom.ir.ops.lstm import Lstm
from patchloom.ir.ops.rnn import Rnn
from patchloom.ir.recurrent import GATE_FUNCTIONS, GateFunction, RecurrentOp

KINDS: tuple[type[RecurrentOp], ...] = (Rnn, Gru, Lstm)
WITH_ALPHA = ("Affine", "Elu", "HardSigmoid", "LeakyRelu", "ScaledTanh", "ThresholdedRelu")
WITH_BETA = ("Affine", "HardSigmoid", "ScaledTanh")


def attributes(op: RecurrentOp, hidden: int) -> dict[str, Any]:
    """The op's attributes as an ONNX node has them."""
    found: dict[str, Any] = {
        "direction": op.direction,
        "hidden_size": hidden,
        "activations": [f.name for f in op.functions],
        "activation_alpha": [f.alpha for f in op.functions if f.name in WITH_ALPHA],
        "activation_beta": [f.beta for f in op.functions if f.name in WITH_BETA],
        "clip": op.clip if math.isfinite(op.clip) else None,
    }
    if isinstance(op, Gru):
        found["linear_before_reset"] = int(op.linear_before_reset)
    if isinstance(op, Lstm):
        found["input_forget"] = int(op.input_forget)
    return {name: value for name, value in found.items() if value not in (None, [])}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind())
def test_layers_are_those_of_onnxruntime(kind: type[RecurrentOp]) -> None:
    seen: set[tuple[object, ...]] = set()
    for seed in range(80):
        graph = kind.case(RandomDraw(seed))
        (op,) = graph.ops
        assert isinstance(op, RecurrentOp)
        (sample,) = random_inputs(graph, 1, seed)
        ours = evaluate(graph, sample)
        inputs = {f: ours[getattr(op, f)] if getattr(op, f) else None for f in kind.INPUTS}
        outputs = [getattr(op, f) or "" for f in kind.OUTPUTS]
        theirs = onnx_node(kind.kind().upper(), inputs, outputs, **attributes(op, op.hidden(graph.tensors)))
        for name, y in zip(filter(None, outputs), theirs, strict=True):
            np.testing.assert_allclose(ours[name], y, atol=1e-5, err_msg=f"seed {seed}, {name}")
        seen.add((op.direction, op.lengths is None, op.clip))
    assert len(seen) == 12, "cases reach every direction, with and without lengths and clip"


def test_functions_are_found_by_any_case_of_letters_with_onnxs_defaults() -> None:
    assert GateFunction.of("hardsigmoid") == GateFunction("HardSigmoid", 0.2, 0.5)
    assert GateFunction.of("LEAKYRELU", 0.5) == GateFunction("LeakyRelu", 0.5, 0.0)
    assert [GateFunction.of(n).code for n in GATE_FUNCTIONS] == list(range(len(GATE_FUNCTIONS)))
    with pytest.raises(KeyError):
        GateFunction.of("Swish")


def lstm() -> tuple[Lstm, Graph]:
    """An LSTM with every operand."""
    for seed in range(1000):
        graph = Lstm.case(RandomDraw(seed))
        (op,) = graph.ops
        assert isinstance(op, Lstm)
        if all(getattr(op, f) for f in (*Lstm.INPUTS, "y_h")):
            return op, graph
    raise AssertionError("no case has every operand")


@pytest.mark.parametrize("field", ["weights", "bias", "lengths", "initial_h", "initial_c", "peepholes"])
def test_operands_of_wrong_shape_or_type_are_reported(field: str) -> None:
    op, graph = lstm()
    name = getattr(op, field)
    right = graph[name]
    for wrong in (replace(right, shape=(*right.shape, 1)), replace(right, dtype=DType.INT64)):
        assert any(
            r.startswith(f"{field} must be") for r in rules(op, *({**graph.tensors, name: wrong}.values()))
        )
    assert rules(op, *graph.tensors.values()) == []


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"direction": "sideways"}, "direction must be one of"),
        ({"functions": ()}, "activation functions are needed"),
        ({"clip": 0.0}, "clip must be positive"),
        ({"y": None, "y_h": None, "y_c": None}, "must have an output"),
    ],
)
def test_attributes_that_make_no_sense_are_reported(changes: dict[str, Any], rule: str) -> None:
    op, graph = lstm()
    assert any(rule in r for r in rules(replace(op, **changes), *graph.tensors.values()))


def test_functions_nobody_knows_and_inputs_that_are_no_sequences_are_reported() -> None:
    op, graph = lstm()
    unknown = tuple(GateFunction("Softplus") for _ in op.functions)
    assert any(
        "activation functions are" in r
        for r in rules(replace(op, functions=unknown), *graph.tensors.values())
    )
    flat = {**graph.tensors, "x": Tensor("x", (3, 4), DType.FLOAT32)}
    assert any("input must be [T,B,I]" in r for r in rules(op, *flat.values()))
    integers = {**graph.tensors, "y_h": replace(graph["y_h"], dtype=DType.INT8)}
    assert any("outputs must be float32" in r for r in rules(op, *integers.values()))
