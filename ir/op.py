"""The base class of operators: an operator's file is its whole meaning."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

if TYPE_CHECKING:
    from .cases import Draw
    from .graph import Graph
    from .types import Tensor

Tensors = Mapping[str, "Tensor"]
Arrays = tuple[np.ndarray, ...]


class Activation(Enum):
    """Clamp fused into an operator, in real numbers."""

    NONE = "none"
    RELU = "relu"
    RELU6 = "relu6"
    RELU_N1_TO_1 = "relu_n1_to_1"

    @property
    def bounds(self) -> tuple[float, float]:
        inf = float("inf")
        limits = {"none": (-inf, inf), "relu": (0.0, inf), "relu6": (0.0, 6.0), "relu_n1_to_1": (-1.0, 1.0)}
        return limits[self.value]


@dataclass(frozen=True)
class Problem:
    """A rule of an operator that is not met: the rule's text, what was found, what to do."""

    rule: str
    found: str
    hint: str = ""


@dataclass(frozen=True)
class Op:
    """One operator. Subclasses are frozen dataclasses whose operand fields hold value names.

    name      unique in the graph; used in layer names and messages
    INPUTS    fields that name values read; a field may be a tuple of names, or None for an absent one
    OUTPUTS   fields that name values written
    """

    name: str

    INPUTS: ClassVar[tuple[str, ...]] = ("x",)
    OUTPUTS: ClassVar[tuple[str, ...]] = ("y",)

    @classmethod
    def kind(cls) -> str:
        """Name of the operator in dumps and file names, e.g. `conv2d`. Equals the module's name."""
        return cls.__module__.rpartition(".")[2]

    def _names(self, fields: tuple[str, ...]) -> tuple[str, ...]:
        names: list[str] = []
        for field in fields:
            value = getattr(self, field)
            names.extend(value if isinstance(value, tuple) else [] if value is None else [value])
        return tuple(names)

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """Names of the values read, constants included, in order; absent optional operands are left out."""
        return self._names(self.INPUTS)

    @cached_property
    def outputs(self) -> tuple[str, ...]:
        return self._names(self.OUTPUTS)

    def renamed(self, names: Mapping[str, str]) -> Self:
        """The same op with operand names replaced where `names` has them."""

        def new(value: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
            if value is None:
                return None
            return (
                tuple(names.get(v, v) for v in value) if isinstance(value, tuple) else names.get(value, value)
            )

        changes: dict[str, Any] = {f: new(getattr(self, f)) for f in (*self.INPUTS, *self.OUTPUTS)}
        return replace(self, **changes)

    # --- what each operator defines -------------------------------------------------------------

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        """Every rule that is not met; empty when the op is accepted. Checked before anything else."""
        raise TypeError(f"{self.kind()} states no rules")

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        """Shapes of the outputs. Only called when `rules` found nothing that concerns input shapes."""
        raise TypeError(f"{self.kind()} infers no shapes")

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        """The exact meaning: arrays for `self.inputs` in, arrays for `self.outputs` out.

        Integer graphs give exact integers; float graphs compute in float32.
        """
        raise TypeError(f"{self.kind()} has no reference of its own")

    def macs(self, tensors: Tensors) -> int:
        """Multiply-accumulates of one inference; 0 for operators that are not counted in MACs."""
        return 0

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        """A random valid one-operator graph, for property tests of every implementation."""
        raise TypeError(f"{cls.kind()} draws no cases")
