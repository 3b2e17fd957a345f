"""A study: candidates are proposed, weighed by the compiler, trained, and kept where workers share them."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import optuna
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from ..errors import UserError
from .constraints import Compiler, Cost, Limits
from .network import Network
from .samplers import sampler
from .space import Space

OBJECTIVES = ("accuracy", "arena", "cycles")
"""What is searched for: the highest accuracy, the least arena and cycles."""

Score = Callable[[Network, optuna.Trial], float]
"""The accuracy of a network that fits; may raise optuna.TrialPruned where one objective is searched."""

_HEARTBEAT_S = 30
"""How often a worker says that it is alive; after four times that its trial is given to another."""

_RETRIES = 3


@dataclass(frozen=True)
class Found:
    """A candidate that was trained, with what the compiler said of it; number: that of its trial."""

    number: int
    picks: dict[str, Any]
    accuracy: float
    arena_bytes: int
    flash_bytes: int
    cycles: float | None
    macs: int
    parameters: int


def storage(url: str) -> RDBStorage:
    """A storage of studies, by URL: "sqlite:///FILE", "postgresql://..."; workers share it.

    Raises UserError where it cannot be reached.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            retry = RetryHeartbeatStaleTrialCallback(_RETRIES)
            return RDBStorage(
                url,
                heartbeat_interval=_HEARTBEAT_S,
                grace_period=4 * _HEARTBEAT_S,
                heartbeat_stale_trial_callback=retry,
            )
    except Exception as e:  # each database driver has errors of its own
        raise UserError(
            "the storage cannot be opened",
            found=f"{type(e).__name__}: {e}",
            accepted="sqlite:///FILE, or a URL",
        ) from e


class Study:
    """One search that any number of workers work on.

    space, limits   the same for all workers of a study
    trials          candidates to train, by all workers together; those that do not fit cost nothing
    objectives      of OBJECTIVES; with "accuracy" alone, training may be cut short
    Raises UserError for a bad storage, a study of something else, and a space of which nothing fits.
    """

    def __init__(
        self,
        name: str,
        space: Space,
        limits: Limits,
        url: str,
        *,
        strategy: str = "nsga2",
        objectives: Sequence[str] = OBJECTIVES,
        seed: int = 0,
    ) -> None:
        if not objectives or objectives[0] != "accuracy" or not set(objectives) <= set(OBJECTIVES):
            raise UserError("unknown objectives", found=", ".join(objectives), accepted=", ".join(OBJECTIVES))
        self.space, self.limits, self.objectives = space, limits, tuple(objectives)
        self.compiler = Compiler(limits)
        self._require_a_member()
        self._study = optuna.create_study(
            study_name=name,
            storage=storage(url),
            sampler=sampler(strategy, seed),
            pruner=optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=3),
            directions=["maximize" if o == "accuracy" else "minimize" for o in objectives],
            load_if_exists=True,
        )
        self._require_the_same(
            {"space": repr(space), "limits": asdict(limits), "objectives": list(objectives)}
        )

    def _require_a_member(self) -> None:
        """Some network of the space must fit."""
        cost = self.compiler.cost(self.space.network(self.space.smallest()))
        if not cost.fits:
            late = "" if cost.latency_ms is None else f" and {cost.latency_ms:.1f} ms"
            raise UserError(
                "no network of this space fits",
                found=f"the smallest needs {cost.arena_bytes} B of RAM, {cost.flash_bytes} B of flash{late}",
                accepted=str(self.limits),
                hint="a smaller space, or larger limits",
                exit_code=1,
            )

    def _require_the_same(self, about: dict[str, Any]) -> None:
        """Remember what the study is about; a worker that joins must search the same."""
        known = self._study.user_attrs.get("about")
        if known is None:
            self._study.set_user_attr("about", about)
        elif known != json.loads(json.dumps(about)):
            differing = next(k for k in about if json.loads(json.dumps(about[k])) != known.get(k))
            raise UserError(
                f"the study {self._study.study_name!r} is about something else: {differing} differs",
                found=str(about[differing]),
                accepted=str(known.get(differing)),
                hint="another name for a new study",
            )

    def run(
        self, score: Score, trials: int, seen: Callable[[int, float | None], None] = lambda done, best: None
    ) -> None:
        """Work until `trials` candidates are trained, by whichever worker.

        seen   told after each candidate how many are trained, and the best accuracy
        Raises UserError when the storage fails; what is in it stays.
        """

        def stop(study: optuna.Study, trial: FrozenTrial) -> None:
            found = self.found()
            seen(len(found), max((f.accuracy for f in found), default=None))
            if len(found) >= trials:
                study.stop()

        if len(self.found()) >= trials:
            return
        try:
            self._study.optimize(lambda trial: self._objective(trial, score), callbacks=[stop])
        except (optuna.exceptions.StorageInternalError, SQLAlchemyError, OSError) as e:
            raise UserError(
                "the storage of the study failed", found=str(e).split("\n")[0], hint="what it holds is kept"
            ) from e

    def _objective(self, trial: optuna.Trial, score: Score) -> tuple[float, ...]:
        picks: dict[str, Any] = {
            c.name: trial.suggest_categorical(c.name, c.options) for c in self.space.choices()
        }
        network = self.space.network(picks)
        cost = self.compiler.cost(network)
        for what, over in asdict(cost.excess).items():
            trial.set_constraint(what, over)
        for key in ("arena_bytes", "flash_bytes", "cycles", "macs", "parameters"):
            trial.set_user_attr(key, getattr(cost, key))
        trial.set_user_attr("network", network.digest)
        if not cost.fits:
            return self._values(0.0, cost)
        accuracy = self._known(network.digest)
        if accuracy is None:
            accuracy = score(network, trial)
            trial.set_user_attr("trained", True)
        return self._values(accuracy, cost)

    def _values(self, accuracy: float, cost: Cost) -> tuple[float, ...]:
        every = {"accuracy": accuracy, "arena": cost.arena_bytes, "cycles": cost.cycles or cost.macs}
        return tuple(every[o] for o in self.objectives)

    def _known(self, digest: str) -> float | None:
        """Accuracy of an equal network that was trained before."""
        for t in self._trained():
            if t.user_attrs["network"] == digest:
                return float(t.values[0])
        return None

    def _trained(self) -> list[FrozenTrial]:
        done = self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        return [t for t in done if t.user_attrs.get("trained")]

    def found(self) -> list[Found]:
        """All candidates that were trained to the end, in the order in which they were proposed."""
        return [_found(t) for t in self._trained()]

    def rejected(self) -> int:
        """How many candidates did not fit, and were not trained."""
        done = self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        return sum(any(e > 0 for e in t.constraints.values()) for t in done)


def _found(trial: FrozenTrial) -> Found:
    a = trial.user_attrs
    return Found(
        number=trial.number,
        picks=dict(trial.params),
        accuracy=float(trial.values[0]),
        arena_bytes=a["arena_bytes"],
        flash_bytes=a["flash_bytes"],
        cycles=a["cycles"],
        macs=a["macs"],
        parameters=a["parameters"],
    )


def front(found: Sequence[Found]) -> list[Found]:
    """Those that no other beats in accuracy, arena and cycles, the most accurate first."""

    def beats(a: Found, b: Found) -> bool:
        x, y = _merits(a), _merits(b)
        return x != y and all(i >= j for i, j in zip(x, y, strict=True))

    best = [f for f in found if not any(beats(o, f) for o in found)]
    return sorted(best, key=lambda f: (-f.accuracy, f.arena_bytes))


def _merits(f: Found) -> tuple[float, float, float]:
    return f.accuracy, -f.arena_bytes, -(f.cycles if f.cycles is not None else f.macs)
