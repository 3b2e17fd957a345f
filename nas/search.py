"""`search`: from data and a board to networks that fit it, trained, and the best one deployed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import optuna

from ..errors import UserError
from .constraints import Limits
from .data import Data
from .network import Network
from .outcome import Deployed, deploy, describe, restore, save, write_json
from .space import Space
from .study import OBJECTIVES, Found, Study, front
from .training import Recipe, train


@dataclass(frozen=True, eq=False)
class Searched:
    """A search's result: all trained candidates, those no other beats, and how many did not fit."""

    folder: Path
    found: tuple[Found, ...]
    front: tuple[Found, ...]
    rejected: int
    deployed: Deployed | None


def search(
    space: Space,
    data: Data,
    limits: Limits,
    out: Path,
    *,
    trials: int = 50,
    strategy: str = "nsga2",
    objectives: Sequence[str] = OBJECTIVES,
    recipe: Recipe | None = None,
    final: Recipe | None = None,
    storage: str | None = None,
    name: str = "search",
    seed: int = 0,
    deploy_best: bool = False,
    seen: Callable[[int, float | None], None] = lambda done, best: None,
) -> Searched:
    """Search `space` for networks that are accurate on `data` and fit `limits`.

    out       folder of the study: candidates/ (weights), front.json, and best/ with the deployed library;
              a study that is there already goes on
    trials    candidates to train; others are rejected by the compiler before that
    recipe    how candidates are trained; final: how the best one is trained for deployment, by default
              three times as long
    storage   URL of a database that many workers share; by default an SQLite file in `out`
    seen      told after each candidate how many are trained, and the best accuracy
    Raises UserError for bad input, and when storage or disk fail; what was found is kept.
    """
    _make_folder(out)
    url = storage or f"sqlite:///{(out / 'study.db').resolve()}"
    study = Study(name, space, limits, url, strategy=strategy, objectives=objectives, seed=seed)
    recipe = replace(recipe or Recipe(), seed=seed)

    def score(network: Network, trial: optuna.Trial) -> float:
        def go_on(epoch: int, accuracy: float) -> bool:
            if len(study.objectives) > 1:
                return True
            trial.report(accuracy, epoch)
            if trial.should_prune():
                raise optuna.TrialPruned
            return True

        checkpoint = out / "unfinished" / network.digest
        trained = train(network, data, recipe, go_on=go_on, checkpoint=checkpoint)
        save(out / "candidates" / f"{network.digest}.npz", trained.values)
        return trained.accuracy

    study.run(score, trials, seen)
    best = front(study.found())
    write_json(out / "front.json", [asdict(f) for f in best])
    deployed = None
    if deploy_best and best:
        deployed = _deployed(
            space, best[0], data, limits, out, final or replace(recipe, epochs=3 * recipe.epochs)
        )
    return Searched(out, tuple(study.found()), tuple(best), study.rejected(), deployed)


def _deployed(space: Space, best: Found, data: Data, limits: Limits, out: Path, recipe: Recipe) -> Deployed:
    """Train the best candidate at length and put it on the board."""
    network, target = space.network(best.picks), out / "best"
    trained = train(network, data, recipe, checkpoint=out / "unfinished" / "best")
    few = restore(out / "candidates" / f"{network.digest}.npz", network)
    values = trained.values if trained.accuracy >= best.accuracy or few is None else few
    deployed = deploy(network, values, data, limits, target)
    describe(target, network, best.picks, recipe)
    return deployed


def _make_folder(out: Path) -> None:
    """The study's folder; one that holds something else is left alone."""
    marks = (
        "study.db",
        "candidates",
        "unfinished",
    )  # the first is missing where there is a storage elsewhere
    if out.exists() and (
        not out.is_dir() or (any(out.iterdir()) and not any((out / m).exists() for m in marks))
    ):
        raise UserError(f"{out}: is there already, and no study", hint="another folder")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise UserError(f"{out}: cannot be made", found=str(e)) from e
