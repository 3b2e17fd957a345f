"""Plans of the front as the user sees them: chosen by limits, printed, drawn, stored, and measured."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from cli_support import patchloom
from emulation_support import need, need_host
from library_support import model_file
from patchloom import api, boards
from patchloom.cli import show
from patchloom.emulation import elf
from patchloom.emulation.harness import build
from patchloom.errors import UserError
from patchloom.ir import Graph
from patchloom.passes.planner import Plan, check
from patchloom.passes.planner.stages.search import predicted_bytes
from patchloom.passes.planner.store import from_data, to_data
from stage_nets import KERNELS, front_of, library_of, prepared
from test_checker_stages import block_net

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
sys.path.append(str(BENCHMARKS))

from networks import ds_cnn  # noqa: E402

COMMITTED = json.loads((BENCHMARKS / "memory.json").read_text())
WORSE = 1.02
BOARD = "generic-cortex-m4"
GUARD = 32
"""Bytes on each side of the arena in the harness."""


def plans(graph: Graph, **options: object) -> list[Plan]:
    p = prepared(graph, **options)  # type: ignore[arg-type]
    return [point.plan for point in front_of(p).points(0.1)]


def test_plans_of_a_front_get_slower_and_smaller() -> None:
    front = front_of(prepared(block_net()))
    points = list(front.points(0.1))
    assert len(points) >= 3
    for a, b in pairwise(points):
        assert a.cycles <= b.cycles and a.plan.arena_bytes > b.plan.arena_bytes
    assert points[-1].plan.arena_bytes < points[0].plan.arena_bytes / 2
    for way in front.ways:
        assert predicted_bytes(way) <= front.point(way, 0.1).plan.arena_bytes


def test_the_fastest_plan_within_a_limit_is_taken() -> None:
    front = front_of(prepared(block_net()))
    for point in front.points():
        found = front.fastest_within(point.plan.arena_bytes)
        assert found is not None and found.plan.arena_bytes <= point.plan.arena_bytes
        assert found.cycles <= point.cycles
    assert front.fastest_within(front.smallest().plan.arena_bytes - 1) is None


# --- stored plans --------------------------------------------------------------------------------


def test_plans_survive_being_stored() -> None:
    for plan in plans(block_net()):
        assert from_data(json.loads(json.dumps(to_data(plan)))) == plan


@pytest.fixture(scope="module")
def small_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the network compiled for the smallest arena."""
    work = tmp_path_factory.mktemp("small")
    model = model_file(block_net(), work / "block.tflite")
    assert patchloom("compile", model, "--board", BOARD, "--goal", "ram", "-o", work / "lib").code == 0
    return work / "lib"


def _set(*path: str | int, value: Any) -> Callable[[Any], None]:
    def change(plan: Any) -> None:
        for key in path[:-1]:
            plan = plan[key]
        plan[path[-1]] = value

    return change


def _first_ring(value: Any) -> Callable[[Any], None]:
    def change(plan: Any) -> None:
        rings = plan["stages"][0]["rings"]
        rings[next(iter(rings))] = value

    return change


DAMAGES: dict[str, Callable[[Any], None]] = {
    "no stages": _set("stages", value=None),
    "stages of another type": _set("stages", value=[7]),
    "a stage of no ops": _set("stages", 0, "ops", value=[]),
    "a stage of unknown ops": _set("stages", 0, "ops", value=["nobody"]),
    "no units": _set("stages", 0, "units", value={}),
    "held by nobody": _set("stages", 0, "held", value=["nobody"]),
    "a ring of no rows": _first_ring(0),
    "a ring of negative rows": _first_ring(-3),
    "a ring of very many rows": _first_ring(1 << 60),
    "a ring of text": _first_ring("many"),
    "strips of nothing": _set("stages", 0, "strips", value=[{}]),
    "strips of numbers": _set("stages", 0, "strips", value=[1]),
    "an arena of no size": _set("arena_bytes", value=0),
    "an arena of negative size": _set("arena_bytes", value=-16),
    "a huge arena": _set("arena_bytes", value=1 << 62),
    "no bounds": _set("bounds", value=[]),
    "no places": _set("places", value={}),
    "a place nowhere": _set("places", "x", value=["nowhere", 0, ""]),
    "a place outside": _set("places", "x", value=["arena", 1 << 40, ""]),
    "no kernels": _set("steps", value=[]),
    "an unknown kernel": _set("steps", 0, 1, value="pl_nothing"),
    "a step of two values": _set("steps", 0, value=["first", "pl_conv2d_s8"]),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_damaged_plans_are_reported(damage: Callable[[Any], None], small_library: Path) -> None:
    manifest = small_library / "patchloom.json"
    good = manifest.read_text()
    try:
        content = json.loads(good)
        damage(content["plan"])
        manifest.write_text(json.dumps(content))
        result = patchloom("verify", small_library, "--on", "host", "--samples", 1)
        assert result.code == 2, result.err
        assert "damaged" in result.err or "stored plan is wrong" in result.err
        assert "compile" in result.err
    finally:
        manifest.write_text(good)


def test_the_plan_in_the_folder_is_the_one_verified(small_library: Path) -> None:
    need_host()
    result = patchloom("verify", small_library, "--on", "host", "--samples", 2, "--json")
    assert result.code == 0 and result.json["bit_exact"]


# --- the command line ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model_file(block_net(), tmp_path_factory.mktemp("front") / "block.tflite")


@pytest.fixture(scope="module")
def points(model: Path) -> tuple[api.ParetoPoint, ...]:
    return api.pareto(model, BOARD)


def test_pareto_prints_every_plan_that_no_other_beats(
    model: Path, points: tuple[api.ParetoPoint, ...], tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    picture = tmp_path / "front.svg"
    result = patchloom("pareto", model, "--board", BOARD, "--json", "--plot", picture)
    assert "<svg" in picture.read_text()
    printed = result.json
    assert [p["ram_bytes"] for p in printed] == [p.ram_bytes for p in points]
    assert result.code == 0 and len(printed) >= 3
    assert set(printed[0]) >= {"ram_bytes", "arena_bytes", "cycles", "mac_factor", "stages"}
    assert [p["ram_bytes"] for p in printed] == sorted({p["ram_bytes"] for p in printed}, reverse=True)
    assert [p["cycles"] for p in printed] == sorted(p["cycles"] for p in printed)
    assert all(p["mac_factor"] >= 1 for p in printed)


def test_the_table_of_pareto_shows_all_points(
    points: tuple[api.ParetoPoint, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    show.front("block.tflite", BOARD, points)
    out = capsys.readouterr().out
    assert "--max-ram" in out
    for p in points:
        assert f"{p.ram_bytes:,}" in out and f"{round(p.cycles):,}" in out


@pytest.mark.parametrize(
    ("name", "message"),
    [("front.txt", "cannot draw"), ("front", ".png"), ("nowhere/front.png", "cannot write")],
)
def test_pictures_that_cannot_be_written_are_told_before_the_search(
    name: str, message: str, model: Path, tmp_path: Path
) -> None:
    result = patchloom("pareto", model, "--board", BOARD, "--plot", tmp_path / name)
    assert result.code == 2 and message in result.err


def test_compile_takes_the_fastest_plan_that_fits(
    model: Path, points: tuple[api.ParetoPoint, ...], small_library: Path, tmp_path: Path
) -> None:
    for i, limit in enumerate((points[0].ram_bytes, points[-1].ram_bytes + 64)):
        out = tmp_path / str(i)
        result = patchloom("compile", model, "--board", BOARD, "--max-ram", limit, "-o", out, "--json")
        assert result.code == 0, result.err
        figures = result.json
        ram = figures["ram_bytes"] if figures["ram_bytes"] is not None else figures["arena_bytes"]
        assert ram <= limit
        assert figures["arena_bytes"] <= limit
    smallest = json.loads((small_library / "patchloom.json").read_text())
    assert smallest["figures"]["arena_bytes"] == points[-1].arena_bytes


def test_what_fits_no_plan_is_told_with_the_smallest_arena(
    model: Path, points: tuple[api.ParetoPoint, ...], tmp_path: Path
) -> None:
    smallest = points[-1].arena_bytes
    result = patchloom("compile", model, "--board", BOARD, "--max-ram", smallest - 4, "-o", tmp_path / "lib")
    assert result.code == 1
    assert f"smallest arena of any plan found is {smallest} B" in result.err
    assert not (tmp_path / "lib").exists()


# --- measured bytes ------------------------------------------------------------------------------


def test_planned_bytes_are_those_of_the_linked_program(tmp_path: Path) -> None:
    board = boards.load(BOARD)
    need(board)
    p = prepared(block_net())
    found = list(front_of(p).points(0.1))
    for i, point in enumerate((found[0], found[-1])):
        check(p.graph, point.plan, KERNELS)
        library = library_of(p, point.plan)
        folder = tmp_path / str(i)
        folder.mkdir()
        for name, data in library.files.items():
            (folder / name).write_bytes(data)
        bytes_ = point.plan.arena_bytes
        assert f"#define NET_ARENA_BYTES {bytes_}" in library.files["net.h"].decode()
        program = build(folder, library.view, library.graph, board, folder, hooked=False)
        (arena,) = {s.size_bytes for s in elf.read(program.path).symbols if s.name == "arena_memory"}
        assert arena == bytes_ + 2 * GUARD


def test_the_committed_front_is_reached(tmp_path: Path) -> None:
    committed = [e for e in COMMITTED if e["model"] == "ds_cnn"]
    whole = next(e for e in committed if e["plan"] == "whole tensors")
    found = api.pareto(model_file(ds_cnn(), tmp_path / "ds_cnn.tflite"), BOARD)
    for e in committed:
        fitting = [p for p in found if p.ram_bytes <= e["ram_bytes"] * WORSE]
        assert fitting, f"{e}: run benchmarks/memory.py"
        if not e["measured"]:
            assert min(p.cycles for p in fitting) <= e["cycles"] * WORSE, e
    smallest = min(e["ram_bytes"] for e in committed)
    assert smallest < whole["ram_bytes"] / 3


def test_committed_points_have_what_the_tables_show() -> None:
    keys = {"model", "input", "ram_bytes", "mac_factor", "cycles", "plan", "measured"}
    assert COMMITTED and all(set(e) == keys for e in COMMITTED)
    for model in {e["model"] for e in COMMITTED}:
        assert any(e["measured"] for e in COMMITTED if e["model"] == model), model
    text = (BENCHMARKS / "memory.md").read_text()
    for e in COMMITTED:
        assert e["model"] in text


def test_a_damaged_plan_is_no_traceback_in_python(small_library: Path) -> None:
    manifest = small_library / "patchloom.json"
    good = manifest.read_text()
    try:
        content = json.loads(good)
        content["plan"]["stages"][0]["rings"] = {"nobody": 1}
        manifest.write_text(json.dumps(content))
        with pytest.raises(UserError) as failure:
            api.verify(small_library, samples=1, on="host")
        assert failure.value.exit_code == 2
    finally:
        manifest.write_text(good)
