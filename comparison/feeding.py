"""The same inputs for two models: real values, stored as each of them wants them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import UserError
from ..ir import DType, Graph, Tensor
from ..ir.ops.quantize import Quantize
from ..passes.quantize import load_arrays
from .order import reorder, same_elements

Inputs = str | Path | np.ndarray | Mapping[str, np.ndarray]
"""A .npy or .npz file, [N, ...] for one input, or [N, ...] by input name."""

Stored = dict[str, np.ndarray]


@dataclass(frozen=True)
class Port:
    """An input of both models.

    range_a, range_b   what it is stored as: integers behind a float input that is quantized at once
    """

    a: Tensor
    b: Tensor
    range_a: Tensor
    range_b: Tensor

    def accepts(self, name: str) -> bool:
        return name in (self.a.name, self.b.name)

    def text(self) -> str:
        return f"{self.a.name} {self.a.dtype.value}[N,{','.join(map(str, self.a.shape[1:]))}]"


def ports_of(a: Graph, b: Graph) -> tuple[Port, ...]:
    """Inputs that belong together: those of equal name, or all by their place.

    Raises UserError where the models do not take the same inputs.
    """
    names = a.inputs if set(a.inputs) == set(b.inputs) else b.inputs
    if len(a.inputs) == len(b.inputs):
        both = zip(a.inputs, names, strict=True)
        found = tuple(Port(a[x], b[y], _range(a, x), _range(b, y)) for x, y in both)
        if all(same_elements(p.a.shape, p.b.shape) for p in found):
            return found
    raise UserError(
        "the two do not take the same inputs",
        found=f"{_inputs(a)}; {_inputs(b)}",
        accepted="equal shapes, up to dimensions of 1 and channels first or last",
        hint="--input-shape NAME=... sets the shape of a model's input",
    )


def _range(graph: Graph, name: str) -> Tensor:
    readers = graph.consumers()[name]
    if graph[name].dtype is DType.FLOAT32 and len(readers) == 1 and isinstance(readers[0], Quantize):
        return graph[readers[0].y]
    return graph[name]


def _inputs(graph: Graph) -> str:
    return ", ".join(f"{n} {graph[n].dtype.value}{list(graph[n].shape)}" for n in graph.inputs)


def random_samples(ports: Sequence[Port], count: int, seed: int) -> list[tuple[Stored, Stored]]:
    """Random inputs: over the whole range of integers where one side stores such, else in [-1, 1)."""
    rng = np.random.default_rng(seed)
    samples = []
    for _ in range(count):
        reals = []
        for port in ports:
            t = next((t for t in (port.range_a, port.range_b) if t.dtype is not DType.FLOAT32), port.a)
            reals.append(reorder(to_real(_random(t, rng), t), port.a.shape))
        samples.append(_stored(ports, reals))
    return samples


def _random(t: Tensor, rng: np.random.Generator) -> np.ndarray:
    if t.dtype is DType.FLOAT32:
        return rng.uniform(-1, 1, t.shape).astype(np.float32)
    low, high = (0, 1) if t.dtype is DType.BOOL else t.dtype.integer_range
    return rng.integers(low, high, t.shape, endpoint=True).astype(t.dtype.numpy)


def given_samples(ports: Sequence[Port], inputs: Inputs) -> list[tuple[Stored, Stored]]:
    """Inputs of a file or of the caller.

    Integers of the type of an input are values stored in that type; all others are real values.
    Raises UserError, naming the input, where they do not fit or are not finite.
    """
    arrays = load_arrays(inputs) if isinstance(inputs, str | Path) else inputs
    if isinstance(arrays, np.ndarray) or (len(ports) == 1 and len(arrays) == 1):
        if len(ports) != 1:
            raise UserError("one array cannot hold several inputs", accepted=_texts(ports))
        (array,) = arrays.values() if isinstance(arrays, Mapping) else (arrays,)
        arrays = {ports[0].a.name: array}
    mine = {p: [x for n, x in arrays.items() if p.accepts(n)] for p in ports}
    if any(len(x) != 1 for x in mine.values()) or len(arrays) != len(ports):
        raise UserError(
            "inputs are missing or unknown", found=", ".join(map(str, arrays)), accepted=_texts(ports)
        )
    split = [_split(port, np.asarray(mine[port][0])) for port in ports]
    if len({len(x) for x in split}) > 1:
        found = ", ".join(f"{p.a.name}: {len(x)}" for p, x in zip(ports, split, strict=True))
        raise UserError("inputs differ in number", found=found)
    return [_stored(ports, reals) for reals in zip(*split, strict=True)]


def _split(port: Port, x: np.ndarray) -> list[np.ndarray]:
    """Real values of every sample, in the shape of the first model."""
    if x.dtype.kind not in "fiub":
        raise UserError(
            f"input {port.a.name!r} does not fit", found=f"values of type {x.dtype}", accepted="numbers"
        )
    if not np.isfinite(x).all():
        raise UserError(
            f"input {port.a.name!r} holds NaN or infinity", found=f"in sample {_first_bad(x)}, counted from 0"
        )
    for t in (port.a, port.b):
        if x.size and (x.shape == t.shape or x.shape[1:] in (t.shape, t.shape[1:])):
            typed = next((t for t in (port.a, port.b) if t.dtype.numpy == x.dtype), None)
            real = to_real(x, typed) if typed else x.astype(np.float64)
            return [reorder(sample, port.a.shape) for sample in real.reshape(-1, *t.shape)]
    raise UserError(
        f"input {port.a.name!r} does not fit", found=f"{x.dtype}{list(x.shape)}", accepted=port.text()
    )


def _first_bad(x: np.ndarray) -> int:
    return int(np.argwhere(~np.isfinite(x))[0][0]) if x.ndim else 0


def _texts(ports: Sequence[Port]) -> str:
    return ", ".join(p.text() for p in ports)


def _stored(ports: Sequence[Port], reals: Sequence[np.ndarray]) -> tuple[Stored, Stored]:
    a = {p.a.name: _store(x, p.a) for p, x in zip(ports, reals, strict=True)}
    b = {p.b.name: _store(reorder(x, p.b.shape), p.b) for p, x in zip(ports, reals, strict=True)}
    return a, b


def _store(x: np.ndarray, t: Tensor) -> np.ndarray:
    """Real values as the input takes them: to nearest, saturated."""
    if t.dtype is DType.FLOAT32:
        return x.astype(np.float32)
    if t.dtype is DType.BOOL:
        return x != 0
    low, high = t.dtype.integer_range
    scaled = np.rint(x / t.quant.s) + t.quant.z if t.quant else np.rint(x)
    return np.clip(scaled, low, high).astype(t.dtype.numpy)


def to_real(x: np.ndarray, t: Tensor) -> np.ndarray:
    """float64 values of what is stored in `t`."""
    exact = x.astype(np.float64)
    return (exact - t.quant.z) * t.quant.s if t.quant and t.dtype is not DType.FLOAT32 else exact
