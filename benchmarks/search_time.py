"""How long the planner looks for the front of RAM and latency, by size of the graph, for memory.md.

Figures are seconds of CPU time on the machine that ran `python benchmarks/memory.py --search-time`; they say
how the time grows, not what another machine takes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from networks import Builder, ds_cnn, mobilenet, resnet
from patchloom import boards
from patchloom.codegen.pipeline import Options, front, lower_graph, prepare
from patchloom.ir import Graph

RESULTS = Path(__file__).parent / "search_time.json"
BOARD = "generic-cortex-m4"
BLOCKS = (3, 6, 12, 18, 24)
"""Numbers of inverted bottlenecks of the networks that are made up."""

MODELS = ("chain_mcunet_vww5_r80", "chain_mbv2_w035_r144", "chain_mcunet_320k_r176", "mbv2_w100_r224")

Entry = dict[str, Any]


def bottlenecks(count: int) -> Graph:
    """Inverted bottlenecks on 128x128 images: expand, depthwise, project, and where shapes allow add."""
    net = Builder(count)
    x = net.conv(net.input((1, 128, 128, 3)), 8, (3, 3), 2)
    channels = 8
    for i in range(count):
        stride = 2 if i in (1, 3, 7) else 1
        wider = channels * 2 if stride == 2 else channels
        y = net.depthwise(net.conv(x, channels * 4, (1, 1)), stride)
        y = net.conv(y, wider, (1, 1), relu=False)
        x = net.add(x, y) if wider == channels else y
        channels = wider
    return net.graph(f"bottlenecks_{count}", net.head(x, 10))


def graphs(models: Path) -> Iterator[tuple[str, str, Graph]]:
    """(name, where the input is, graph behind all passes)."""
    for network in (ds_cnn, resnet, mobilenet):
        graph = network()
        yield graph.name, "arena", lower_graph(graph, Options(BOARD))
    for count in BLOCKS:
        graph = bottlenecks(count)
        yield graph.name, "extern", lower_graph(graph, Options(BOARD, input_mode="extern"))
    for name in MODELS:
        path = models / f"{name}.tflite"
        if path.is_file():
            yield name, "extern", prepare(path, Options(BOARD, input_mode="extern")).graph


def measured(name: str, mode: Any, graph: Graph) -> Entry:
    """Time of the search among stages, and of all plans of the front: blocks of channels are searched for
    these, and every plan gets its exact bytes."""
    board = boards.load(BOARD)
    start = time.process_time()
    found = front(graph, board, Options(BOARD, input_mode=mode))
    searched = time.process_time()
    points = list(found.points())
    end = time.process_time()
    return {
        "model": name,
        "input": mode,
        "operators": len(graph.ops),
        "search_cpu_s": round(searched - start, 1),
        "plans_cpu_s": round(end - searched, 1),
        "plans": len(points),
        "proven_minimal": sum(p.plan.optimal for p in points),
    }


def read() -> list[Entry]:
    """What has been measured."""
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else []


def measure(models: Path, only: Sequence[str]) -> None:
    """Measure and write; `only`: names of the models, all others stay as they are."""
    found = {(e["model"], e["input"]): e for e in read()}
    for name, mode, graph in graphs(models):
        if not only or name in only:
            found[name, mode] = measured(name, mode, graph)
            entries = sorted(found.values(), key=lambda e: (e["operators"], e["model"]))
            lines = ",\n".join(json.dumps(e) for e in entries)
            RESULTS.write_text(f"[\n{lines}\n]\n")


def rows(entries: Sequence[Entry]) -> Iterator[Sequence[str]]:
    """Cells of the table."""
    for e in entries:
        total = e["search_cpu_s"] + e["plans_cpu_s"]
        proven = f"{e['proven_minimal']} of {e['plans']}"
        yield e["model"], str(e["operators"]), f"{e['search_cpu_s']:.1f}", f"{total:.1f}", proven
