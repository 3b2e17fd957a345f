"""Searching networks: spaces, what the compiler says of candidates, and studies (nothing is trained here)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import optuna
import pytest
from emulation_support import need_host
from hypothesis import given, settings
from hypothesis import strategies as st
from patchloom import api
from patchloom.errors import UserError
from patchloom.export.tflite import to_tflite
from patchloom.ir import evaluate, verify
from patchloom.nas.constraints import Compiler, Limits
from patchloom.nas.data import load
from patchloom.nas.graph import float_graph, stand_ins
from patchloom.nas.network import INPUT, Add, Concat, Conv, Dense, Flatten, GlobalAverage, Network, Pool
from patchloom.nas.samplers import SAMPLERS
from patchloom.nas.spaces import SPACES
from patchloom.nas.study import Study, front
from patchloom.quantization import quantize

SHAPES = {"image": (20, 16, 1), "keyword": (25, 10, 1), "series": (48, 1, 6)}
BOARD = "nucleo-g0b1re"


def a_space(name: str):
    return SPACES[name](SHAPES[name], 5)


@pytest.mark.parametrize("name", SPACES)
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_every_member_of_a_space_is_a_network_that_runs(name: str, seed: int) -> None:
    space = a_space(name)
    network = space.network(space.random(np.random.default_rng(seed)))
    graph = verify(float_graph(network, stand_ins(network)))
    values = evaluate(graph, {INPUT: np.ones((1, *network.input_shape), np.float32)})
    assert values[network.output].shape == (1, 5)
    assert graph.macs >= network.macs > 0  # the mean of a map may count, too
    assert network.parameters == sum(t.elements for t in graph.tensors.values() if t.constant)


@pytest.mark.parametrize("name", SPACES)
def test_the_ends_of_a_space_and_its_narrowed_forms_are_members(name: str) -> None:
    space = a_space(name)
    small, large = space.network(space.smallest()), space.network(space.largest())
    assert small.macs < large.macs
    first = space.choices()[0]
    narrow = space.restricted({first.name: first.options[:1]})
    assert narrow.size * len(first.options) == space.size
    assert narrow.random(np.random.default_rng(0))[first.name] == first.options[0]
    with pytest.raises(UserError, match="no such options"):
        space.restricted({first.name: ("purple",)})


def test_shapes_that_do_not_fit_are_told_with_the_layer() -> None:
    conv = Conv("conv", INPUT, 4)
    for layers, said in (
        ((conv, Dense("dense", "conv", 3)), "'dense' needs a vector"),
        ((conv, Add("add", "conv", INPUT)), "inputs of 'add' differ"),
        ((Pool("pool", INPUT, (9, 9)),), "'pool' is larger than its map"),
        ((Dense("dense", "nothing", 3),), "'dense' reads a value that is not there"),
        ((conv, conv), "different names"),
    ):
        with pytest.raises(UserError, match=said):
            Network((8, 8, 1), layers)


def test_the_compiler_is_right_about_arena_and_weights_of_trained_candidates(tmp_path: Path) -> None:
    """Prediction with stand-in weights, and what compile makes of others that are quantized with data."""
    need_host()
    rng = np.random.default_rng(5)
    checked_networks = 0
    for name in SPACES:
        space = a_space(name)
        for _ in range(2):
            network = space.network(space.random(rng))
            values = {
                n: type(v)(rng.normal(size=v.weights.shape).astype(np.float32), v.bias)
                for n, v in stand_ins(network).items()
            }
            graph = float_graph(network, values)
            predicted = api.predict(graph, BOARD)
            data = rng.normal(size=(4, *network.input_shape)).astype(np.float32)
            plain = quantize(graph, data, rounding="nearest", bias_correction=False, equalisation=False)
            model = tmp_path / f"net_{checked_networks}.tflite"
            model.write_bytes(plain.content)
            compiled = api.compile(model, BOARD, tmp_path / model.stem, io_int8=True, goal="latency")
            figures = compiled.figures()
            assert predicted.macs >= figures["macs"]
            if figures["macs"] == predicted.macs:  # else channels of these weights were constant
                assert figures["arena_bytes"] == predicted.arena_bytes
                # rows of padding are shared where values happen to have one zero point
                weights = compiled.library.view.weight_bytes
                assert abs(weights - predicted.weight_bytes) <= 0.03 * weights
                checked_networks += 1
            else:
                assert figures["arena_bytes"] <= predicted.arena_bytes
    assert checked_networks >= 3


def test_costs_are_asked_for_once_and_limits_are_kept_apart() -> None:
    space = a_space("series")
    network = space.network(space.smallest())
    roomy = Compiler(Limits(BOARD)).cost(network)
    assert roomy.fits and roomy.arena_bytes > 0 and roomy.flash_bytes > network.parameters
    limits = Limits(BOARD, max_ram=roomy.arena_bytes // 3, max_flash=roomy.flash_bytes // 2)
    tight = Compiler(limits).cost(network)
    assert tight.excess.flash > 0 and tight.excess.latency == 0
    compiler = Compiler(Limits(BOARD, max_latency_ms=1e-6))
    assert compiler.cost(network) is compiler.cost(space.network(space.smallest()))
    if roomy.latency_ms is not None:
        assert compiler.cost(network).excess.latency > 0


class Counted:
    """Scores networks by their MACs, and remembers which were scored."""

    def __init__(self, compiler: Compiler) -> None:
        self.compiler, self.scored = compiler, list[Network]()

    def __call__(self, network: Network, trial: optuna.Trial) -> float:
        self.scored.append(network)
        return 1 - 1 / (1 + network.macs) ** 0.2


@pytest.mark.parametrize("strategy", SAMPLERS)
def test_nothing_that_does_not_fit_is_ever_trained(strategy: str, tmp_path: Path) -> None:
    space = a_space("series")
    limits = Limits(BOARD, max_ram=2000, max_flash=20_000)
    study = Study("s", space, limits, f"sqlite:///{tmp_path}/s.db", strategy=strategy)
    score = Counted(study.compiler)
    study.run(score, 6)
    assert len(score.scored) == len(set(score.scored)) == 6
    assert all(study.compiler.cost(n).fits for n in score.scored)
    assert len(study.found()) == 6 and study.rejected() > 0
    best = front(study.found())
    assert best and all(f in study.found() for f in best)
    assert best[0].accuracy == max(f.accuracy for f in study.found())
    again = Study("s", space, limits, f"sqlite:///{tmp_path}/s.db", strategy=strategy)
    again.run(score, 7)
    assert len(score.scored) == 7
    with pytest.raises(UserError, match="about something else: limits"):
        Study("s", space, Limits(BOARD), f"sqlite:///{tmp_path}/s.db")


def test_training_may_be_cut_short_where_accuracy_alone_counts(tmp_path: Path) -> None:
    space, url = a_space("series"), f"sqlite:///{tmp_path}/s.db"
    study = Study("s", space, Limits(BOARD), url, strategy="evolution", objectives=("accuracy",))
    asked: list[str] = []

    def score(network: Network, trial: optuna.Trial) -> float:
        asked.append(network.digest)
        if len(asked) == 2:
            raise optuna.TrialPruned
        return 0.5

    study.run(score, 2)
    assert len(asked) == 3 and len(study.found()) == 2  # the one cut short does not count


def test_a_budget_that_nothing_keeps_is_told_with_the_smallest_member(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/s.db"
    with pytest.raises(UserError, match="no network of this space fits") as told:
        Study("s", a_space("series"), Limits(BOARD, max_ram=100), url)
    assert "the smallest needs" in str(told.value) and told.value.exit_code == 1


def test_bad_storages_strategies_and_objectives_are_one_message(tmp_path: Path) -> None:
    space, limits = a_space("series"), Limits(BOARD)
    with pytest.raises(UserError, match="storage cannot be opened"):
        Study("s", space, limits, f"sqlite:///{tmp_path}/no/such/folder/s.db")
    with pytest.raises(UserError, match="storage cannot be opened"):
        Study("s", space, limits, "nonsense")
    with pytest.raises(UserError, match="no sampler"):
        Study("s", space, limits, f"sqlite:///{tmp_path}/s.db", strategy="guessing")
    with pytest.raises(UserError, match="unknown objectives"):
        Study("s", space, limits, f"sqlite:///{tmp_path}/s.db", objectives=("beauty",))


def written(path: Path, **arrays: np.ndarray) -> Path:
    np.savez(path, **arrays)
    return path


def test_data_is_split_by_class_or_by_group_and_checked(tmp_path: Path) -> None:
    x, y = np.zeros((40, 8, 8), np.uint8), np.arange(40) % 4
    good = load(written(tmp_path / "d.npz", x_train=x, y_train=y, x_test=x, y_test=y))
    assert good.shape == (8, 8, 1) and good.classes == 4 and good.name == "d"
    assert len(good.training[0]) == 36 and sorted(good.validation[1]) == [0, 1, 2, 3]
    groups = np.arange(40) // 10
    marked = np.broadcast_to(groups[:, None], (40, 3)).astype(np.float32)
    by_group = load(
        written(tmp_path / "g.npz", x_train=marked, y_train=y, x_test=marked, y_test=y, groups_train=groups)
    )
    assert not set(by_group.training[0][:, 0]) & set(by_group.validation[0][:, 0])
    bad: list[tuple[dict[str, np.ndarray], str]] = [
        ({"y_train": y[:-1]}, "whole number per sample"),
        ({"y_train": y.astype(np.float32)}, "whole number per sample"),
        ({"y_train": y + 1}, "labels must be 0 to"),
        ({"y_test": y + 9}, "not those of training"),
        ({"x_test": x[:, :4]}, "differ in shape"),
        ({"x_train": np.full((40, 8, 8), np.nan)}, "NaN"),
        ({"x_train": x.astype(str)}, "must be numbers"),
    ]
    for wrong, said in bad:
        arrays = {"x_train": x, "y_train": y, "x_test": x, "y_test": y, **wrong}
        with pytest.raises(UserError, match=said):
            load(written(tmp_path / "bad.npz", **arrays))
    with pytest.raises(UserError, match="arrays are missing: y_test"):
        load(written(tmp_path / "bad.npz", x_train=x, y_train=y, x_test=x))
    (tmp_path / "bad.npz").write_bytes(b"PK nothing")
    with pytest.raises(UserError, match="cannot be read"):
        load(tmp_path / "bad.npz")


def test_layers_without_weights_keep_their_order() -> None:
    network = Network(
        (6, 6, 2),
        (
            Pool("small", INPUT),
            Conv("a", "small", 4),
            Concat("both", ("a", "small")),
            GlobalAverage("mean", "both"),
            Dense("out", "mean", 3),
        ),
    )
    flat = Network((6, 6, 2), (Flatten("flat", INPUT), Dense("out", "flat", 3)))
    assert network.shapes["both"] == (3, 3, 6) and flat.shapes["flat"] == (72,)
    for n in (network, flat):
        assert to_tflite(float_graph(n, stand_ins(n)))
