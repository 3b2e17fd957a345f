"""Channel blocks: split graphs equal the graphs they are made of, are planned, stored, and run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from block_nets import SAME, Fixed, Q, conv, random_block_net, some_blocks, tiny_map
from cli_support import patchloom
from emulation_support import need
from library_support import model_file
from nets import Net
from patchloom import api, boards
from patchloom.codegen import KERNELS
from patchloom.emulation import elf
from patchloom.emulation.harness import build
from patchloom.emulation.verify import random_inputs
from patchloom.folder import open_library
from patchloom.ir import DType, Graph, Window, check_rules, evaluate
from patchloom.ir.cases import RandomDraw
from patchloom.ir.ops.partial_sums import PartialSums
from patchloom.passes.channel_blocks import Blocks, runs_of, split_channels
from patchloom.passes.planner import PlanError, check
from patchloom.passes.planner.front import Front
from stage_nets import prepared

BOARD = "generic-cortex-m4"
MIDDLE, LIMIT = 256, 1100
"""Channels of a network, and bytes of RAM that it takes only in channel blocks."""

GUARD = 32
"""Bytes on each side of the arena in the harness."""


# --- the rewriting -------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(40))
def test_split_graphs_compute_the_same(seed: int) -> None:
    graph = random_block_net(RandomDraw(seed))
    blocks = some_blocks(graph, np.random.default_rng(seed))
    made = split_channels(graph, blocks)
    check_rules(made)
    assert blocks and made.macs == graph.macs
    for sample in random_inputs(graph, 2, seed):
        want, got = evaluate(graph, sample), evaluate(made, sample)
        for name in want.keys() & got.keys():
            np.testing.assert_array_equal(got[name], want[name], name)
        assert set(graph.outputs) <= got.keys()


def test_random_nets_have_all_kinds_of_runs() -> None:
    graphs = [random_block_net(RandomDraw(seed)) for seed in range(40)]
    runs = [r for graph in graphs for r in runs_of(graph).values()]
    want = {"conv2d", "depthwise_conv2d", "fully_connected", "reshape", "mean", "lookup", "resize_nearest"}
    assert want <= {op.kind() for r in runs for op in r.ops}
    assert len({r.project.rounding for r in runs}) == 2


def test_a_split_run_is_blocks_added_to_sums() -> None:
    made = split_channels(tiny_map(24), (("project", 2),))
    assert [op.kind() for op in made.ops] == [
        *("conv2d", "depthwise_conv2d", "partial_sums"),
        *("conv2d", "depthwise_conv2d", "partial_sums"),
        "finish_sums",
    ]
    first, second = (op for op in made.ops if isinstance(op, PartialSums))
    assert first.sums is None and second.sums == first.y
    assert [made[op.y].shape for op in made.ops[:2]] == [(1, 3, 3, 12)] * 2
    assert made.ops[-1].outputs == ("project",)
    assert "channels 12 to 23" in made.label(made.ops[3])


def _chain(
    *, activation: DType = DType.INT8, zero: int = 0, also: bool = False, twice: bool = False
) -> Graph:
    """x -> a -> b, where something may forbid the split."""
    draw, net = Fixed(np.random.default_rng(0)), Net()
    x = net.input("x", (1, 3, 3, 4), DType.INT8, Q)
    a = conv(net, draw, "a", x, 16)
    b = conv(net, draw, "b", a, 4)
    if zero:
        w = net.tensors["b/w"]
        assert w.quant
        net.tensors["b/w"] = replace(w, quant=replace(w.quant, zero_point=(zero,)))
    if twice:
        conv(net, draw, "c", a, 4)
        return net.graph(b, "c")
    return net.graph(b, a) if also else net.graph(b)


def test_runs_are_private_and_of_plain_int8() -> None:
    assert set(runs_of(_chain())) == {"b"}
    assert not runs_of(_chain(zero=3)), "weights with a zero point"
    assert not runs_of(_chain(also=True)), "a value that is an output, too"
    assert not runs_of(_chain(twice=True)), "a value that two ops read"


@pytest.mark.parametrize(
    "blocks",
    [(("nobody", 2),), (("a", 2),), (("b", 1),), (("b", 17),), (("b", -2),), (("b", 2), ("b", 2))],
)
def test_blocks_that_mean_nothing_are_refused(blocks: Blocks) -> None:
    with pytest.raises(ValueError, match="blocks of channels"):
        split_channels(_chain(), blocks)


def test_runs_that_share_an_op_are_not_split_together() -> None:
    draw, net = Fixed(np.random.default_rng(0)), Net()
    x = net.input("x", (1, 3, 3, 4), DType.INT8, Q)
    for name in "abc":
        x = conv(net, draw, name, x, 16)
    graph = net.graph(x)
    assert set(runs_of(graph)) == {"b", "c"}
    with pytest.raises(ValueError, match="blocks of channels"):
        split_channels(graph, (("b", 2), ("c", 2)))


# --- compile -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model_file(tiny_map(MIDDLE), tmp_path_factory.mktemp("blocks") / "tiny.tflite")


@pytest.fixture(scope="module")
def compiled(model: Path) -> Path:
    """A library that only channel blocks make fit."""
    out = model.parent / "lib"
    result = patchloom("compile", model, "--board", BOARD, "--max-ram", LIMIT, "-o", out, "--json")
    assert result.code == 0, result.err
    assert result.json["arena_bytes"] <= LIMIT
    return out


def test_without_blocks_no_plan_is_as_small(model: Path, compiled: Path) -> None:
    p, board = prepared(tiny_map(MIDDLE)), boards.load(BOARD)
    plain = Front(p.graph, board.isa, KERNELS)
    content = json.loads((compiled / "patchloom.json").read_text())
    assert content["plan"]["channel_blocks"]
    assert plain.smallest().plan.arena_bytes > 2 * content["figures"]["arena_bytes"]


def test_the_stored_library_is_the_same_when_opened(compiled: Path) -> None:
    library = open_library(compiled)
    assert library.plan.channel_blocks
    assert len(library.graph.ops) > len(library.planned.ops)

    def code(data: bytes) -> list[str]:
        """All but the lines that name the model's file, which is called otherwise in the folder."""
        return [line for line in data.decode().splitlines() if ".tflite" not in line]

    for name in ("tiny.c", "tiny.h", "tiny_kernels.h"):
        assert code((compiled / name).read_bytes()) == code(library.files[name]), name


def test_its_planned_bytes_are_those_of_the_linked_program(compiled: Path, tmp_path: Path) -> None:
    board = boards.load(BOARD)
    need(board)
    library = open_library(compiled)
    program = build(compiled, library.view, library.graph, board, tmp_path, hooked=False)
    (arena,) = {s.size_bytes for s in elf.read(program.path).symbols if s.name == "arena_memory"}
    assert arena == library.plan.arena_bytes + 2 * GUARD


def test_it_is_bit_exact_on_the_core(compiled: Path) -> None:
    need(boards.load(BOARD))
    result = patchloom("verify", compiled, "--samples", 2, "--json")
    assert result.code == 0 and result.json["bit_exact"]


def test_pareto_tells_of_blocks(model: Path) -> None:
    points = api.pareto(model, BOARD)
    assert points[-1].arena_bytes < LIMIT and points[-1].channel_blocks
    assert max(p.mac_factor for p in points) == 1.0


@pytest.mark.parametrize("value", [[["nobody", 2]], [["project", 1]], [["project"]], None])
def test_damaged_blocks_are_reported(value: object, compiled: Path) -> None:
    manifest = compiled / "patchloom.json"
    good = manifest.read_text()
    try:
        content = json.loads(good)
        content["plan"]["channel_blocks"] = value
        manifest.write_text(json.dumps(content))
        result = patchloom("verify", compiled, "--on", "host", "--samples", 1)
        assert result.code == 2, result.err
        assert "damaged" in result.err or "stored plan is wrong" in result.err
    finally:
        manifest.write_text(good)


def test_a_plan_for_a_graph_in_blocks_is_not_one_for_the_graph(compiled: Path) -> None:
    library = open_library(compiled)
    with pytest.raises((PlanError, KeyError)):
        check(library.planned, library.plan, KERNELS)


def test_windows_of_sums_are_those_of_the_layer() -> None:
    net, draw = Net(), Fixed(np.random.default_rng(4))
    x = net.input("x", (1, 6, 5, 3), DType.INT8, Q)
    y = conv(net, draw, "a", x, 10)
    graph = net.graph(conv(net, draw, "b", y, 3, replace(SAME, stride=(2, 1))))
    made = split_channels(graph, (("b", 3),))
    windows = {op.window for op in made.ops if isinstance(op, PartialSums)}
    assert windows == {Window((3, 3), (2, 1), (1, 1), ((1, 1), (1, 1)))}
