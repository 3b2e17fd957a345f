"""The typed intermediate representation and its exact reference semantics."""

from .graph import Graph
from .interpreter import evaluate, initial_state
from .op import Activation, Op, Problem
from .printer import to_text
from .types import DType, Quant, State, Tensor
from .verify import InvalidGraph, check_rules, verify
from .window import Window

__all__ = [
    "Activation",
    "DType",
    "Graph",
    "InvalidGraph",
    "Op",
    "Problem",
    "Quant",
    "State",
    "Tensor",
    "Window",
    "check_rules",
    "evaluate",
    "initial_state",
    "to_text",
    "verify",
]
