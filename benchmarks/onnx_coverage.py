"""The operator tests of the onnx package through frontend, reference and C: docs/onnx_operators.md.

Run from the repository root:

    python benchmarks/onnx_coverage.py -o docs/onnx_operators.md

Every test is a small model with inputs and the answer. It is imported, computed by the reference before and
after the graph passes, and compiled for the host; many graphs share one program, built with the address and
undefined-behaviour sanitizers. Inputs that an operator of ours needs as constants (shapes, axes, weights;
BOUND) are made constants of the model, with the value of the test.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from patchloom.boards import Board
from patchloom.codegen import KERNELS, Origin, build_view, known_answers, render
from patchloom.codegen.library import port_stems
from patchloom.emulation.harness import build, execute
from patchloom.errors import UnsupportedModel, UserError
from patchloom.frontend.onnx import import_onnx
from patchloom.frontend.onnx.registry import CONVERTERS
from patchloom.ir import Graph, Tensor, evaluate, verify
from patchloom.passes import run_passes
from patchloom.passes.planner import plan

GRAPHS_PER_PROGRAM = 40

_ALL = tuple(range(1, 9))
BOUND: dict[str, tuple[int, ...]] = {
    "BatchNormalization": (1, 2, 3, 4),
    "CenterCropPad": (1,),
    "Col2Im": (1, 2),
    "Compress": (1,),
    "Conv": (1, 2),
    "ConvTranspose": (1, 2),
    "ConstantOfShape": (0,),
    "CumProd": (1,),
    "CumSum": (1,),
    "Dropout": (1, 2),
    "Expand": (1,),
    "GroupNormalization": (1, 2),
    "If": (0,),
    "OneHot": (1,),
    "Pad": (1, 2, 3),
    "Range": (0, 1, 2),
    "Reshape": (1,),
    "Resize": _ALL,
    "ReverseSequence": (1,),
    "Slice": _ALL,
    "Split": (1,),
    "Squeeze": (1,),
    "Tile": (1,),
    "TopK": (1,),
    "Trilu": (1,),
    "Unsqueeze": (1,),
    "Upsample": (1,),
    **{
        f"Reduce{f}": (1,)
        for f in ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare")
    },
    **{f"Quantize{f}": (1, 2) for f in ("Linear",)},
    "DequantizeLinear": (1, 2),
    "QLinearConv": _ALL,
    "QLinearMatMul": (1, 2, 3, 4, 5, 6, 7),
    "ConvInteger": _ALL,
    "MatMulInteger": (2, 3),
}
"""Operands, by operator and position, that become constants."""


@dataclass(frozen=True, eq=False)
class Case:
    """One test: a model, its inputs by name, its answers in order, and how near to them is near enough."""

    name: str
    model: onnx.ModelProto
    inputs: Mapping[str, object]
    answers: Sequence[object]
    rtol: float
    atol: float

    @property
    def operator(self) -> str:
        """What the test is about; tests of a function's body are named after the function."""
        nodes = self.model.graph.node
        return nodes[0].op_type if len(nodes) == 1 else self.name.removeprefix("test_").split("_")[0]


@dataclass
class Result:
    """What became of a case.

    bound    inputs that became constants
    reason   of a refusal or failure; empty for a pass
    folded   nothing was left to compute
    """

    case: Case
    state: str
    reason: str = ""
    bound: int = 0
    folded: bool = False
    graph: Graph | None = None
    inputs: dict[str, np.ndarray] = field(default_factory=dict)


def load_cases() -> list[Case]:
    """The tests of the installed onnx package, first data set each."""
    from onnx.backend.test.loader import load_model_tests

    cases = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for test in load_model_tests(kind="node"):
            if test.model is None or not test.data_sets:
                continue
            inputs, answers = test.data_sets[0]
            names = [i.name for i in test.model.graph.input]
            given = dict(zip(names, inputs, strict=False))
            cases.append(Case(test.name, test.model, given, answers, test.rtol, test.atol))
    return cases


def bound_model(case: Case) -> tuple[onnx.ModelProto, set[str]]:
    """The model with the inputs that must be constant made initialisers, and their names."""
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    names = {
        name
        for node in model.graph.node
        for i, name in enumerate(node.input)
        if i in BOUND.get(node.op_type, ()) and isinstance(case.inputs.get(name), np.ndarray | np.generic)
    }
    for name in sorted(names):
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(case.inputs[name]), name))
    return model, names


def check(case: Case) -> Result:
    """Import a case and compute it with the reference, before and after the graph passes."""
    model, bound = bound_model(case)
    shapes = {
        n: tuple(np.shape(v))
        for n, v in case.inputs.items()
        if n not in bound and isinstance(v, np.ndarray | np.generic)
    }
    try:
        graph = import_onnx(model.SerializeToString(), f"{case.name}.onnx", shapes)
        lowered = run_passes(graph, verify_between=True)
    except UnsupportedModel as error:
        rules = dict.fromkeys(v.rule for v in error.violations)
        return Result(case, "refused", "; ".join(rules), len(bound))
    except UserError as error:
        return Result(case, "refused", error.rule or error.message.partition(": ")[2], len(bound))
    inputs = {n: np.asarray(case.inputs[n]).astype(graph[n].dtype.numpy) for n in graph.inputs}
    for which, stage in (("reference", graph), ("reference behind the passes", lowered)):
        with np.errstate(all="ignore"):
            values = evaluate(stage, inputs)
        if problem := difference(case, [values[n] for n in stage.outputs]):
            return Result(case, "failed", f"{which}: {problem}", len(bound))
    folded = not lowered.inputs or not lowered.ops
    return Result(case, "passed", "", len(bound), folded, lowered, inputs)


def difference(case: Case, results: Sequence[np.ndarray]) -> str:
    """How results differ from the answers; empty when they are near enough."""
    for want, got in zip(case.answers, results, strict=True):
        want = np.asarray(want)
        if want.shape != got.shape or want.dtype != got.dtype:
            return f"{got.dtype}{list(got.shape)} instead of {want.dtype}{list(want.shape)}"
        if want.dtype.kind == "f":
            near = np.isclose(got, want, rtol=case.rtol, atol=max(case.atol, 1e-5), equal_nan=True)
        else:
            near = got == want
        if not near.all():
            i = int(np.flatnonzero(~near.ravel())[0])
            return f"{got.ravel()[i]} instead of {want.ravel()[i]} at {i} ({(~near).sum()} of {near.size})"
    return ""


def merged(results: Sequence[Result]) -> tuple[Graph, dict[str, np.ndarray]]:
    """One graph of all, names prefixed with `c<number>_`, and its inputs."""
    tensors: dict[str, Tensor] = {}
    ops, inputs, outputs = [], [], []
    data: dict[str, np.ndarray] = {}
    for i, result in enumerate(results):
        graph = result.graph
        assert graph
        names = {n: f"c{i}_{n}" for n in graph.tensors}
        tensors |= {names[n]: replace(t, name=names[n]) for n, t in graph.tensors.items()}
        ops += [replace(op.renamed(names), name=f"c{i}_{op.name}") for op in graph.ops]
        inputs += [names[n] for n in graph.inputs]
        outputs += [names[n] for n in graph.outputs]
        data |= {names[n]: result.inputs[n] for n in graph.inputs}
    return verify(Graph("cases", tensors, tuple(ops), tuple(inputs), tuple(outputs))), data


def run_c(results: Sequence[Result], board: Board | None) -> dict[str, np.ndarray]:
    """Outputs of the merged graph, computed by C on `board` or (None) the host with sanitizers."""
    graph, data = merged(results)
    chosen = plan(graph, board.isa if board else frozenset(), KERNELS, time_limit_s=0.0, reorder=False)
    answers = known_answers(graph, port_stems("output", graph.outputs))
    view = build_view(graph, chosen, Origin("0", "coverage", "cases", "0" * 64, "host"), answers)
    with tempfile.TemporaryDirectory(prefix="patchloom-coverage-") as name:
        folder = Path(name)
        for file, content in render(view).items():
            (folder / file).write_bytes(content)
        program = build(folder, view, graph, board, folder, hooked=False, sanitize=board is None)
        outcome = execute(program, [data], reset_every=1, checks=False)
    if outcome.damaged_guards:
        raise AssertionError("a kernel wrote outside the arena")
    return dict(outcome.samples[0].outputs)


def has_kernels(result: Result) -> str:
    """Why no kernel takes an op of the graph; empty when all have one."""
    assert result.graph
    try:
        plan(result.graph, frozenset(), KERNELS, time_limit_s=0.0, reorder=False)
    except UnsupportedModel as error:
        return "no kernel: " + "; ".join(dict.fromkeys(v.rule for v in error.violations))
    return ""


def check_c(results: Sequence[Result], board: Board | None = None) -> None:
    """Run every passed case in C and note those that differ; halves a group whose program does not run."""
    try:
        outputs = run_c(results, board)
    except Exception as error:  # a compiler error or a crash has one case to blame, which is looked for
        if len(results) > 1:
            middle = len(results) // 2
            check_c(results[:middle], board)
            check_c(results[middle:], board)
        else:
            results[0].state, results[0].reason = "failed", f"C: {type(error).__name__}: {str(error)[:300]}"
        return
    for i, result in enumerate(results):
        assert result.graph
        if problem := difference(result.case, [outputs[f"c{i}_{n}"] for n in result.graph.outputs]):
            result.state, result.reason = "failed", f"C: {problem}"


def chunks(results: Sequence[Result]) -> Iterator[Sequence[Result]]:
    for start in range(0, len(results), GRAPHS_PER_PROGRAM):
        yield results[start : start + GRAPHS_PER_PROGRAM]


def measure(cases: Sequence[Case], compile_c: bool = True) -> list[Result]:
    """What became of every case."""
    results = []
    for case in cases:
        try:
            results.append(check(case))
        except Exception as error:  # a crash is a failed test, not the end of the measurement
            results.append(Result(case, "failed", f"{type(error).__name__}: {str(error)[:200]}"))
    computed = [r for r in results if r.state == "passed" and not r.folded]
    for result in computed if compile_c else ():
        if problem := has_kernels(result):
            result.state, result.reason = "refused", problem
    runnable = [r for r in computed if r.state == "passed"]
    for chunk in chunks(runnable) if compile_c else ():
        check_c(chunk)
    return results


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _row(name: str, results: Sequence[Result]) -> str:
    passed = [r for r in results if r.state == "passed"]
    refused: dict[str, int] = defaultdict(int)
    for r in results:
        if r.state == "refused":
            refused[r.reason] += 1
    reasons = "; ".join(f"{count} x {_cell(reason)}" for reason, count in sorted(refused.items()))
    folded, bound = sum(r.folded for r in passed), sum(r.bound > 0 for r in passed)
    failed = sum(r.state == "failed" for r in results)
    counts = (
        f"{len(results)} | {len(passed)} | {folded or ''} | {bound or ''} | {sum(refused.values()) or ''}"
    )
    return f"| {name} | {counts} | {failed or ''} | {reasons} |"


_NOTES = (
    "- *folded*: shapes and constants decide the result at import.",
    "- *bound*: the test gives a shape, axes, weights or the like as an input; a microcontroller has no "
    "memory to be planned at run time, so these were made constants of the model, with the test's value.",
    "- Most refusals are element types (float64, float16, bfloat16, 8-bit floats, strings, unsigned 16 to 64 "
    "bits), values of no fixed size (sequences, optional values, results whose shape depends on data), "
    "loops, and training.",
    "- Operators that the standard itself defines by simpler ones are imported by that definition; rows in "
    "lower case are the standard's own expansions of such operators.",
)


def report(results: Sequence[Result], in_c: bool = True) -> str:
    """The page docs/onnx_operators.md; in_c: whether the C was run, too."""
    by_operator: dict[str, list[Result]] = defaultdict(list)
    for r in results:
        by_operator[r.case.operator].append(r)
    count = {state: sum(r.state == state for r in results) for state in ("passed", "refused", "failed")}
    computed = sum(r.state == "passed" and not r.folded for r in results)
    where = (
        f"{computed} in C as well; of the others nothing is left to compute" if in_c else "the C was not run"
    )
    names = sorted(by_operator, key=lambda n: (not n[:1].isupper(), n.lower()))
    failures = [f"- `{r.case.name}`: {_cell(r.reason)}" for r in results if r.state == "failed"]
    supported = ", ".join(f"`{n}`" for n in sorted({*CONVERTERS.converters, *CONVERTERS.folders}))
    return "\n".join(
        [
            "# ONNX operators",
            "",
            "Made by `python benchmarks/onnx_coverage.py -o docs/onnx_operators.md`; do not edit.",
            "",
            f"The onnx package {onnx.__version__} generates {len(results)} tests of single operators, each a "
            "small model with inputs and the answer. Every one is imported, computed by the reference as "
            "imported and behind the graph passes, and compiled to C for the host with the address and "
            "undefined-behaviour sanitizers.",
            "",
            f"**{count['passed']} pass** ({where}), "
            f"**{count['refused']} are refused** with a reason, **{count['failed']} fail**.",
            "",
            *_NOTES,
            "",
            f"Imported by name: {supported}.",
            "",
            "| operator | tests | passed | folded | bound | refused | failed | reasons of refusal |",
            "|---|---|---|---|---|---|---|---|",
            *(_row(name, by_operator[name]) for name in names),
            *(["", "## Failures", "", *failures] if failures else []),
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Run the onnx package's operator tests.")
    parser.add_argument("-o", type=Path, help="the page to write")
    parser.add_argument("--no-c", action="store_true", help="reference only")
    parser.add_argument("--only", default="", help="tests whose name contains this")
    arguments = parser.parse_args()
    cases = [c for c in load_cases() if arguments.only in c.name]
    results = measure(cases, compile_c=not arguments.no_c)
    text = report(results, in_c=not arguments.no_c)
    if arguments.o:
        arguments.o.write_text(text)
    counts = {s: sum(r.state == s for r in results) for s in ("passed", "refused", "failed")}
    print(", ".join(f"{n} {s}" for s, n in counts.items()))
    for r in results:
        if r.state == "failed":
            print(f"{r.case.name}: {r.reason}")
    raise SystemExit(1 if counts["failed"] else 0)


if __name__ == "__main__":
    main()
