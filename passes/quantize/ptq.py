"""Post-training quantization of a float graph: the techniques put together."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ...errors import UserError
from ...ir import DType, Graph, check_rules, verify
from .convert import to_integers
from .data import Sample, check_finite_constants
from .equalise import equalise
from .forms import clip_masks, integer_forms, uneven_quotients
from .kinds import Weighted, has_integer_form, is_float, why_float
from .mean_pool import pools_to_means
from .mixed import choose_int16
from .observers import OBSERVERS, Distribution
from .reconstruct import fit_layer, lockstep_samples, reconstruct
from .scheme import Scheme, make_scheme
from .statistics import Extremes, Progress, collect_distributions, collect_extremes
from .weights import LayerWeights

RoundingName = Literal["nearest", "adaptive"]


@dataclass(frozen=True)
class Techniques:
    """Which techniques are used; docs/quantization.md says what each does and what it earns.

    observer         how ranges of activations are chosen: a name of OBSERVERS
    bias_correction  move each bias by what quantization shifts the mean of its channel
    equalisation     balance channel ranges of layers where that clearly lowers the noise, or "always"
    rounding         of weights: "nearest", or "adaptive" for the least error of the layer's output
    mean_pooling     global average pools get a scale of their own
    int16_layers     names of ops that compute with int16 activations, or "auto"
    int16_budget     for "auto": share of the multiply-accumulates that may be int16
    """

    observer: str = "mse"
    bias_correction: bool = True
    equalisation: bool | Literal["always"] = True
    rounding: RoundingName = "adaptive"
    mean_pooling: bool = True
    int16_layers: tuple[str, ...] | Literal["auto"] = ()
    int16_budget: float = 0.25
    seed: int = 0


_LOCKSTEP_BYTES = 512 << 20
"""Memory for the values of layer reconstruction."""

_LOCKSTEP_SAMPLES = 64
"""Inputs of layer reconstruction: more change less than the choice of the inputs does."""

_TRIAL_SAMPLES = 16
"""Inputs on which it is tried whether equalisation helps."""

_GAIN_DB = 3.0
"""What equalisation must gain in the trial. Ranges that are all used up clip more on inputs not seen: on
vww_96_float it gains 1.5 dB on the calibration images and loses 1.6 dB on others."""


@dataclass(frozen=True, eq=False)
class IntegerModel:
    """float_graph: what was quantized, in the form that `graph` follows op by op.

    stored    integer value by float value
    int16_ops names of ops with int16 activations
    float_ops why ops stay in float between conversions, by name
    notes     what a person should know, e.g. values that were always zero
    """

    float_graph: Graph
    graph: Graph
    stored: Mapping[str, str]
    int16_ops: tuple[str, ...]
    float_ops: Mapping[str, str]
    notes: tuple[str, ...]


def quantize_graph(
    graph: Graph, samples: Sequence[Sample], techniques: Techniques, progress: Progress = lambda *a: None
) -> IntegerModel:
    """Quantize a canonical float graph with calibration samples.

    Raises UserError for bad constants, values that become infinite, unknown names; UnsupportedModel where an
    integer op would break a rule.
    """
    graph = integer_forms(graph)
    _check(graph, techniques)
    notes: list[str] = []
    if techniques.mean_pooling:
        graph = pools_to_means(graph)
    extremes = collect_extremes(graph, samples, progress)
    graph = clip_masks(graph, extremes)
    if techniques.equalisation:
        even, even_extremes = equalise(graph, extremes)
        always = techniques.equalisation == "always"
        if even is not graph and (
            always or _is_better(even, even_extremes, graph, extremes, samples, techniques)
        ):
            graph, extremes = even, even_extremes
        else:
            notes.append("equalisation is left out: it does not clearly lower the noise of this network")
    distributions = collect_distributions(graph, samples, extremes, progress)
    scheme, reasons = _settle(graph, distributions, techniques, extremes)
    few = lockstep_samples(graph, samples, _LOCKSTEP_SAMPLES, _LOCKSTEP_BYTES)
    layers, _ = _reconstruct(graph, scheme, few, extremes, techniques, progress)
    integer, stored = to_integers(graph, scheme, layers)
    check_rules(verify(integer))
    int16_ops = tuple(n for n, t in scheme.precision.items() if t is DType.INT16)
    floats = _float_ops(graph, scheme, reasons)
    notes += [f"{graph.label(op)} stays in float: {floats[op.name]}" for op in graph.ops if op.name in floats]
    return IntegerModel(graph, integer, stored, int16_ops, floats, (*notes, *_notes(graph, scheme)))


def _settle(
    graph: Graph,
    distributions: Mapping[str, Distribution],
    techniques: Techniques,
    extremes: Mapping[str, Extremes],
) -> tuple[Scheme, dict[str, str]]:
    """The scheme, and why ops stay in float though they have an integer form, by name.

    Some rules of integer ops depend on scales and weights: they are asked, with weights rounded to nearest,
    and an op that breaks one is left in float.
    """
    reasons = uneven_quotients(graph, extremes)
    while True:
        scheme = _scheme(graph, distributions, techniques, reasons)
        broken = _broken_ops(graph, scheme)
        if not broken:
            return scheme, reasons
        reasons.update(broken)


def _broken_ops(graph: Graph, scheme: Scheme) -> dict[str, str]:
    """The first broken rule of every op of the integer graph that breaks one, by the op's name.

    Conversions belong to the op that reads them. Raises UnsupportedModel where a float op breaks a rule.
    """
    layers = {}
    for op in graph.ops:
        if isinstance(op, Weighted) and scheme.precision[op.name] is not DType.FLOAT32:
            still = np.zeros(graph[op.weights].shape[op.CHANNEL_AXIS], bool)
            layers[op.name] = fit_layer(graph, scheme, op, None, still, False)
    integer, _ = to_integers(graph, scheme, layers)
    consumers, found = integer.consumers(), {}
    for op in integer.ops:
        problem = next(iter(op.rules(integer.tensors)), None)
        if problem is None:
            continue
        owners = [op.name] if op.name in scheme.precision else [o.name for o in consumers[op.outputs[0]]]
        ours = [n for n in owners if scheme.precision.get(n, DType.FLOAT32) is not DType.FLOAT32]
        if not ours:
            check_rules(integer)
        found.update(dict.fromkeys(ours, f"{problem.rule} (found: {problem.found})"))
    return found


def _float_ops(graph: Graph, scheme: Scheme, reasons: Mapping[str, str]) -> dict[str, str]:
    """Why ops that make floats are left in float, by name; those that only move floats are not named."""
    found = {}
    for op in graph.ops:
        if scheme.precision[op.name] is DType.FLOAT32 and any(is_float(graph, n) for n in op.outputs):
            why = reasons.get(op.name) or why_float(graph, op)
            if why:
                found[op.name] = why
    return found


def _reconstruct(
    graph: Graph,
    scheme: Scheme,
    samples: Sequence[Sample],
    extremes: Mapping[str, Extremes],
    techniques: Techniques,
    progress: Progress,
) -> tuple[dict[str, LayerWeights], float]:
    return reconstruct(
        graph,
        scheme,
        samples,
        extremes,
        bias_correction=techniques.bias_correction,
        adaptive=techniques.rounding == "adaptive",
        rng=np.random.default_rng(techniques.seed),
        done=lambda done: progress("layers", done, len(graph.ops)),
    )


def _is_better(
    even: Graph,
    even_extremes: Mapping[str, Extremes],
    plain: Graph,
    extremes: Mapping[str, Extremes],
    samples: Sequence[Sample],
    techniques: Techniques,
) -> bool:
    """Whether the equalised network has less noise, on a few samples, weights rounded to nearest."""
    few = lockstep_samples(plain, samples, _TRIAL_SAMPLES, _LOCKSTEP_BYTES)
    simple = replace(techniques, rounding="nearest", int16_layers=())

    def noise(graph: Graph, seen: Mapping[str, Extremes]) -> float:
        scheme = _scheme(graph, collect_distributions(graph, few, seen, _silent), simple)
        return _reconstruct(graph, scheme, few, seen, simple, _silent)[1]

    return noise(even, even_extremes) > noise(plain, extremes) + _GAIN_DB


def _silent(what: str, done: int, total: int) -> None:
    """No progress is shown."""


def _check(graph: Graph, techniques: Techniques) -> None:
    if techniques.observer not in OBSERVERS:
        raise UserError(f"there is no observer {techniques.observer!r}", accepted=", ".join(OBSERVERS))
    if techniques.rounding not in ("nearest", "adaptive"):
        raise UserError(f"there is no rounding {techniques.rounding!r}", accepted="nearest, adaptive")
    _check_int16(graph, () if techniques.int16_layers == "auto" else techniques.int16_layers)
    if all(t.dtype is not DType.FLOAT32 for t in graph.tensors.values()) or any(
        t.quant is not None and not t.constant for t in graph.tensors.values()
    ):
        raise UserError(
            f"{graph.source or graph.name} is quantized already", accepted="a model with float32 values"
        )
    check_finite_constants(graph)


def _check_int16(graph: Graph, names: Sequence[str]) -> None:
    """Layers named for int16 activations must exist and be able to."""
    ops = {op.name: op for op in graph.ops}
    for name in names:
        if name not in ops:
            raise UserError(f"there is no layer {name!r}", accepted=", ".join(sorted(ops)))
        if why := why_float(graph, ops[name], DType.INT16):
            able = [op.name for op in graph.ops if has_integer_form(graph, op, DType.INT16)]
            raise UserError(
                f"{graph.label(ops[name])} cannot have int16 activations",
                found=why,
                accepted=", ".join(able) or "no layer of this model",
            )


def _scheme(
    graph: Graph,
    distributions: Mapping[str, Distribution],
    techniques: Techniques,
    float_ops: Collection[str] = (),
) -> Scheme:
    observer = OBSERVERS[techniques.observer]
    chosen = techniques.int16_layers
    if chosen == "auto":
        plain = make_scheme(graph, distributions, observer, (), float_ops)
        chosen = choose_int16(graph, plain, distributions, techniques.int16_budget)
    return make_scheme(graph, distributions, observer, chosen, float_ops)


def _notes(graph: Graph, scheme: Scheme) -> tuple[str, ...]:
    """Messages on values without range and layers with channels without weights."""
    notes = [
        f"{name!r} is zero for all calibration data: its range is not known" for name in scheme.zero_values
    ]
    for op in graph.ops:
        if isinstance(op, Weighted) and scheme.precision[op.name] is not DType.FLOAT32:
            data = graph[op.weights].data
            assert data is not None
            rows = np.moveaxis(data, op.CHANNEL_AXIS, 0).reshape(data.shape[op.CHANNEL_AXIS], -1)
            if empty := int((np.abs(rows).max(axis=1, initial=0.0) == 0).sum()):
                notes.append(f"{graph.label(op)}: {empty} output channels have no weights but 0")
    return tuple(notes)
