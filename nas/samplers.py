"""Who proposes candidates: Optuna's samplers, and aging evolution on its interface."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler, NSGAIIISampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from ..errors import UserError


class AgingEvolution(BaseSampler):
    """Regularized evolution (Real et al. 2019): the best of a random few of the youngest `population` has a
    mutated child. The oldest die, however good.

    The first objective counts; candidates that exceed a limit lose to those that do not, and among
    themselves the one that exceeds least wins.
    """

    def __init__(self, seed: int, population: int = 30, tournament: int = 8, share: float = 0.1) -> None:
        self._rng = np.random.default_rng(seed)
        self._population, self._tournament, self._share = population, tournament, share

    def reseed_rng(self) -> None:
        self._rng = np.random.default_rng()

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return {}

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Choose the parent of the whole candidate."""
        done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
        young = [t for t in done if t.values or t.state is TrialState.PRUNED][-self._population :]
        self._parent: Mapping[str, Any] = {}
        if len(young) >= min(self._population, 2 * self._tournament):
            few = self._rng.choice(len(young), min(self._tournament, len(young)), replace=False)
            self._parent = max((young[i] for i in few), key=_fitness).params

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        assert isinstance(param_distribution, CategoricalDistribution)
        options = param_distribution.choices
        kept = self._parent.get(param_name)
        if kept in options and self._rng.random() >= self._share:
            return kept
        return options[int(self._rng.integers(len(options)))]


def _fitness(trial: FrozenTrial) -> tuple[float, float]:
    over = sum(max(0.0, e) for e in trial.constraints.values())
    return -over, trial.values[0] if trial.values else 0.0


_MAKERS: dict[str, Callable[[int], BaseSampler]] = {
    "random": lambda seed: RandomSampler(seed=seed),
    "tpe": lambda seed: TPESampler(seed=seed, multivariate=True),
    "nsga2": lambda seed: NSGAIISampler(seed=seed, population_size=20),
    "nsga3": lambda seed: NSGAIIISampler(seed=seed, population_size=20),
    "evolution": AgingEvolution,
}

SAMPLERS = tuple(_MAKERS)
"""Names of the samplers."""


def sampler(name: str, seed: int) -> BaseSampler:
    """The sampler of that name. Raises UserError where there is none."""
    if name not in _MAKERS:
        raise UserError(f"there is no sampler {name!r}", accepted=", ".join(SAMPLERS))
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return _MAKERS[name](seed)
