"""Calibration data and labels: read, checked, brought to the model's inputs."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ...errors import UserError
from ...ir import DType, Graph

MAX_BYTES = 1 << 32
"""Largest calibration file that is read, in bytes of its arrays."""

Sample = dict[str, np.ndarray]
Calibration = str | Path | np.ndarray | Mapping[str, np.ndarray] | Iterable[Any]
"""A .npy or .npz file; [N, ...] of a model with one input; [N, ...] by input name; or an iterable of inputs,
each an array or a mapping from input name to array."""


def load_arrays(path: str | Path) -> np.ndarray | dict[str, np.ndarray]:
    """The array of a .npy file, or the arrays of a .npz file by name; never a pickle.

    Sizes are taken from the headers and checked before anything is allocated.
    Raises UserError for anything else.
    """
    file = Path(path)
    try:
        with file.open("rb") as stream:
            if stream.read(4) == b"PK\x03\x04":
                return _load_npz(file)
            stream.seek(0)
            _check_header(stream, str(path), file.stat().st_size)
        data = np.load(file, allow_pickle=False)
        assert isinstance(data, np.ndarray)
        return data
    except (OSError, ValueError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error) as e:
        raise UserError(
            f"{path} is not a .npy or .npz file",
            found=str(e) or type(e).__name__,
            accepted="saved by numpy.save",
        ) from e


def _load_npz(file: Path) -> dict[str, np.ndarray]:
    total = 0
    with zipfile.ZipFile(file) as archive:
        for entry in archive.infolist():
            with archive.open(entry) as stream:
                total += _check_header(stream, f"{file}: {entry.filename}", entry.file_size)  # type: ignore[arg-type]
            if total > MAX_BYTES:
                raise UserError(f"{file} is too large", found=f"{total} bytes", accepted=f"{MAX_BYTES}")
    with np.load(file, allow_pickle=False) as data:
        return {name: data[name] for name in data.files}


def _check_header(stream: BinaryIO, name: str, size: int) -> int:
    """Bytes of the array whose header is next; the header's shape must agree with the bytes there are."""
    version = np.lib.format.read_magic(stream)
    reader = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}.get(version[0])
    if reader is None:
        raise ValueError(f"version {version[0]} of the format")
    shape, _, dtype = reader(stream)
    if dtype.hasobject:
        raise ValueError("it holds Python objects")
    wanted = prod(shape) * dtype.itemsize
    if wanted > min(size, MAX_BYTES):
        raise UserError(f"{name}: the array cannot be read", found=f"{wanted} bytes in a file of {size}")
    return wanted


def samples_of(graph: Graph, source: Calibration, what: str = "calibration data") -> list[Sample]:
    """One mapping from input name to array per inference, checked and in the types of the inputs.

    Raises UserError, naming the input, for shapes that do not fit, values that are not finite, missing or
    unknown inputs, and for no data at all.
    """
    if isinstance(source, str | Path):
        source = load_arrays(source)
    if isinstance(source, np.ndarray) and len(graph.inputs) == 1:
        source = {graph.inputs[0]: source}
    if isinstance(source, Mapping):
        samples = _split(graph, source, what)
    elif isinstance(source, np.ndarray):
        raise UserError(f"{what}: one array cannot hold several inputs", accepted=accepted(graph))
    else:
        samples = [_sample(graph, item, f"{what}, item {i}") for i, item in enumerate(source)]
    if not samples:
        raise UserError(f"{what}: there is no sample", accepted=accepted(graph))
    return samples


def _split(graph: Graph, arrays: Mapping[str, np.ndarray], what: str) -> list[Sample]:
    """The samples of arrays [N, ...] by input name. One array of any name does for a model with one input."""
    if len(graph.inputs) == 1 and len(arrays) == 1:
        arrays = dict(zip(graph.inputs, arrays.values(), strict=True))
    _check_names(graph, arrays, what)
    split = {name: _runs(graph, name, arrays[name], what) for name in graph.inputs}
    if len({len(x) for x in split.values()}) > 1:
        found = ", ".join(f"{n}: {len(x)}" for n, x in split.items())
        raise UserError(f"{what}: inputs differ in number", found=found)
    return [dict(zip(split, values, strict=True)) for values in zip(*split.values(), strict=True)]


def _check_names(graph: Graph, arrays: Mapping[str, np.ndarray], what: str) -> None:
    if set(arrays) != set(graph.inputs):
        raise UserError(
            f"{what}: inputs are missing or unknown", found=", ".join(arrays), accepted=accepted(graph)
        )


def _sample(graph: Graph, item: Any, what: str) -> Sample:
    if not isinstance(item, Mapping):
        if len(graph.inputs) != 1:
            raise UserError(f"{what}: one array cannot hold several inputs", accepted=accepted(graph))
        item = {graph.inputs[0]: item}
    _check_names(graph, item, what)
    sample = {}
    for name in graph.inputs:
        runs = _runs(graph, name, np.asarray(item[name]), what)
        if len(runs) != 1:
            raise UserError(f"{what}: {name!r} holds {len(runs)} inputs", accepted="one per item")
        sample[name] = runs[0]
    return sample


def _runs(graph: Graph, name: str, x: np.ndarray, what: str) -> np.ndarray:
    """`x` as [N, *shape of the input], N inputs with or without their batch dimension of 1."""
    t = graph[name]
    tail = t.shape[1:] if t.shape[:1] == (1,) else t.shape
    fits = x.shape in (t.shape, tail) or x.shape[1:] in (t.shape, tail)
    if x.dtype.kind not in "fiub" or x.size == 0 or not fits:
        raise UserError(
            f"{what}: the shape of {name!r} does not fit",
            found=f"{x.dtype}{list(x.shape)}",
            accepted=accepted(graph),
        )
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        bad = int(np.flatnonzero(~np.isfinite(x))[0]) // t.elements
        raise UserError(f"{what}: {name!r} holds NaN or infinity", found=f"first in sample {bad}")
    if t.dtype is DType.FLOAT32:
        x = x.astype(np.float32)
    elif x.dtype != t.dtype.numpy:
        raise UserError(f"{what}: {name!r} has another type", found=str(x.dtype), accepted=t.dtype.value)
    return x.reshape(-1, *t.shape)


def accepted(graph: Graph) -> str:
    """What the inputs look like: `x float32[N,1,96,96,3]`."""
    return ", ".join(
        f"{n} {graph[n].dtype.value}[N,{','.join(map(str, graph[n].shape[1:] or graph[n].shape))}]"
        for n in graph.inputs
    )


def labels_of(source: str | Path | np.ndarray | Sequence[int], count: int, classes: int) -> np.ndarray:
    """int64[count] class numbers. Raises UserError when they do not match the data or the model's output."""
    data = load_arrays(source) if isinstance(source, str | Path) else np.asarray(source)
    if isinstance(data, dict):
        if len(data) != 1:
            raise UserError("labels: one array is expected", found=", ".join(data))
        data = next(iter(data.values()))
    flat = data.reshape(-1)
    if flat.dtype.kind not in "iub" or flat.size != count:
        raise UserError(
            "labels do not match the data",
            found=f"{data.dtype}{list(data.shape)}",
            accepted=f"one whole number per sample, {count} in all",
        )
    labels = flat.astype(np.int64)
    if labels.min(initial=0) < 0 or labels.max(initial=0) >= classes:
        raise UserError(
            "labels do not match the model's output",
            found=f"labels from {labels.min()} to {labels.max()}",
            accepted=f"0 to {classes - 1}",
        )
    return labels


def check_finite_constants(graph: Graph) -> None:
    """Raise UserError naming the first constant that holds NaN or infinity."""
    for t in _float_constants(graph):
        assert t.data is not None
        if not np.isfinite(t.data).all():
            where = np.argwhere(~np.isfinite(t.data))[0].tolist()
            raise UserError(
                f"{graph.source or graph.name}: constant {t.name!r} holds NaN or infinity",
                found=f"{t.data[tuple(where)]} at {where}",
                hint="the training of this model diverged, or its file is damaged",
            )


def _float_constants(graph: Graph) -> Iterator[Any]:
    return (t for t in graph.tensors.values() if t.data is not None and t.dtype is DType.FLOAT32)
