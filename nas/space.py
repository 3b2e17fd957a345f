"""What can be chosen about a network, and the networks that gives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import prod

import numpy as np

from ..errors import UserError
from .network import Network, Shape

Value = int | float | str
Picks = Mapping[str, Value]
"""A value for every choice of a space."""


@dataclass(frozen=True)
class Choice:
    """One decision: `options` from small to large where they have an order.

    whole   it concerns the whole network (width, resolution): narrowing a space to a board decides these
    """

    name: str
    options: tuple[Value, ...]
    whole: bool = False


@dataclass(frozen=True)
class Space(ABC):
    """A family of networks for samples of one shape.

    A space is one file of `nas/spaces/`: a frozen dataclass with the attributes of its family, the choices
    these leave, and the network of a set of picks. Picks that a network does not use (the kernel size of a
    block that is left out) change nothing: equal networks are one candidate.

    input_shape   of one sample
    outputs       classes, or elements of what is reconstructed
    kept          options left of a choice, by its name, where the space was narrowed
    """

    input_shape: Shape
    outputs: int
    kept: Mapping[str, tuple[Value, ...]] = field(default_factory=dict, kw_only=True, hash=False)

    @abstractmethod
    def all_choices(self) -> tuple[Choice, ...]:
        """The choices of the family, before narrowing."""

    @abstractmethod
    def network(self, picks: Picks) -> Network:
        """The network of `picks`, which has a value for every choice."""

    def choices(self) -> tuple[Choice, ...]:
        """The choices that are left."""
        return tuple(replace(c, options=self.kept.get(c.name, c.options)) for c in self.all_choices())

    @property
    def size(self) -> int:
        """Number of different picks."""
        return prod(len(c.options) for c in self.choices())

    def random(self, rng: np.random.Generator) -> dict[str, Value]:
        """Picks, each option as likely as any other."""
        return {c.name: c.options[int(rng.integers(len(c.options)))] for c in self.choices()}

    def smallest(self) -> dict[str, Value]:
        """The first option of every choice."""
        return {c.name: c.options[0] for c in self.choices()}

    def largest(self) -> dict[str, Value]:
        """The last option of every choice."""
        return {c.name: c.options[-1] for c in self.choices()}

    def restricted(self, kept: Mapping[str, tuple[Value, ...]]) -> Space:
        """The space with fewer options. Raises UserError for options that are not there."""
        known = {c.name: c.options for c in self.choices()}
        for name, options in kept.items():
            if name not in known or not options or not set(options) <= set(known[name]):
                raise UserError(
                    f"{type(self).__name__} has no such options of {name!r}",
                    found=", ".join(map(str, options)) or "none",
                    accepted=", ".join(map(str, known.get(name, known))),
                )
        return replace(self, kept={**self.kept, **kept})
