"""Post-training quantization of a float graph: the techniques put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ...errors import UserError
from ...ir import DType, Graph, check_rules, verify
from .convert import to_integers
from .data import Sample, check_finite_constants
from .equalise import equalise
from .kinds import Weighted, is_float
from .mean_pool import pools_to_means
from .mixed import choose_int16
from .observers import OBSERVERS, Distribution
from .reconstruct import lockstep_samples, reconstruct
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
    notes     what a person should know, e.g. values that were always zero
    """

    float_graph: Graph
    graph: Graph
    stored: Mapping[str, str]
    int16_ops: tuple[str, ...]
    notes: tuple[str, ...]


def quantize_graph(
    graph: Graph, samples: Sequence[Sample], techniques: Techniques, progress: Progress = lambda *a: None
) -> IntegerModel:
    """Quantize a canonical float graph with calibration samples.

    Raises UserError for bad constants, values that become infinite, unknown names; UnsupportedModel where an
    integer op would break a rule.
    """
    _check(graph, techniques)
    notes: list[str] = []
    if techniques.mean_pooling:
        graph = pools_to_means(graph)
    extremes = collect_extremes(graph, samples, progress)
    if techniques.equalisation:
        even, even_extremes = equalise(graph, extremes)
        always = techniques.equalisation == "always"
        if always or _is_better(even, even_extremes, graph, extremes, samples, techniques):
            graph, extremes = even, even_extremes
        else:
            notes.append("equalisation is left out: it does not clearly lower the noise of this network")
    distributions = collect_distributions(graph, samples, extremes, progress)
    scheme = _scheme(graph, distributions, techniques)
    few = lockstep_samples(graph, samples, _LOCKSTEP_SAMPLES, _LOCKSTEP_BYTES)
    layers, _ = _reconstruct(graph, scheme, few, extremes, techniques, progress)
    integer, stored = to_integers(graph, scheme, layers)
    check_rules(verify(integer))
    int16_ops = tuple(n for n, t in scheme.precision.items() if t is DType.INT16)
    return IntegerModel(graph, integer, stored, int16_ops, (*notes, *_notes(graph, scheme)))


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
    names = {op.name for op in graph.ops}
    if techniques.int16_layers != "auto" and (
        unknown := [n for n in techniques.int16_layers if n not in names]
    ):
        raise UserError(f"there is no layer {unknown[0]!r}", accepted=", ".join(sorted(names)))
    if all(t.dtype is not DType.FLOAT32 for t in graph.tensors.values()) or any(
        t.quant is not None and not t.constant for t in graph.tensors.values()
    ):
        raise UserError(
            f"{graph.source or graph.name} is quantized already", accepted="a model with float32 values"
        )
    check_finite_constants(graph)


def _scheme(graph: Graph, distributions: Mapping[str, Distribution], techniques: Techniques) -> Scheme:
    observer = OBSERVERS[techniques.observer]
    chosen = techniques.int16_layers
    if chosen == "auto":
        plain = make_scheme(graph, distributions, observer)
        chosen = choose_int16(graph, plain, distributions, techniques.int16_budget)
    return make_scheme(graph, distributions, observer, chosen)


def _notes(graph: Graph, scheme: Scheme) -> tuple[str, ...]:
    """Messages on values without range, layers with channels without weights, and ops kept in float."""
    notes = [
        f"{name!r} is zero for all calibration data: its range is not known" for name in scheme.zero_values
    ]
    for op in graph.ops:
        if scheme.precision[op.name] is DType.FLOAT32 and any(is_float(graph, n) for n in op.outputs):
            notes.append(f"{graph.label(op)} has no integer form and stays in float")
        elif isinstance(op, Weighted):
            data = graph[op.weights].data
            assert data is not None
            rows = np.moveaxis(data, op.CHANNEL_AXIS, 0).reshape(data.shape[op.CHANNEL_AXIS], -1)
            if empty := int((np.abs(rows).max(axis=1, initial=0.0) == 0).sum()):
                notes.append(f"{graph.label(op)}: {empty} output channels have no weights but 0")
    return tuple(notes)
