"""Tensors of an ONNX file as NumPy arrays: types, sizes, data kept in other files."""

from __future__ import annotations

import sys
from math import prod
from pathlib import Path

import numpy as np
from onnx import TensorProto

from ...errors import UserError
from ...ir import DType
from ..tflite.model import MAX_ELEMENTS
from ..tflite.naming import printable
from ..tflite.tensors import Unsupported

NUMPY_TYPES: dict[int, np.dtype] = {
    TensorProto.FLOAT: np.dtype(np.float32),
    TensorProto.UINT8: np.dtype(np.uint8),
    TensorProto.INT8: np.dtype(np.int8),
    TensorProto.UINT16: np.dtype(np.uint16),
    TensorProto.INT16: np.dtype(np.int16),
    TensorProto.INT32: np.dtype(np.int32),
    TensorProto.INT64: np.dtype(np.int64),
    TensorProto.BOOL: np.dtype(np.bool_),
    TensorProto.FLOAT16: np.dtype(np.float16),
    TensorProto.DOUBLE: np.dtype(np.float64),
    TensorProto.UINT32: np.dtype(np.uint32),
    TensorProto.UINT64: np.dtype(np.uint64),
}
"""Element types of constants; those of computed values are DType's."""

_FIELDS = {np.dtype(np.float32): "float_data", np.dtype(np.float64): "double_data"}
_FIELDS |= {np.dtype(t): "int64_data" for t in (np.int64,)}
_FIELDS |= {np.dtype(t): "uint64_data" for t in (np.uint32, np.uint64)}
_DTYPES = {d.numpy: d for d in DType}


def type_name(code: int) -> str:
    """How messages call an element type of a file."""
    return TensorProto.DataType.Name(code).lower() if code in TensorProto.DataType.values() else str(code)


def numpy_type(code: int, name: str) -> np.dtype:
    """Element type of a constant. Raises Unsupported for strings, complex, 4-bit and 8-bit floats."""
    if code not in NUMPY_TYPES:
        raise Unsupported(
            "element types are " + ", ".join(d.name for d in NUMPY_TYPES.values()),
            f"{printable(name)!r} is {type_name(code)}",
        )
    return NUMPY_TYPES[code]


def dtype_for(kind: np.dtype, name: str) -> DType:
    """Element type of a value of the graph. Raises Unsupported for those that only constants may have."""
    if kind not in _DTYPES or kind == np.float16:
        hint = "export the model in float32" if kind.kind == "f" else ""
        accepted = ", ".join(d.value for d in _DTYPES.values() if d is not DType.FLOAT16)
        raise Unsupported(f"element types are {accepted}", f"{printable(name)!r} is {kind.name}", hint)
    return _DTYPES[kind]


def malformed(source: str, what: str, rule: str = "") -> UserError:
    """A file that is no valid ONNX model."""
    return UserError(f"{source}: not a valid ONNX model", rule=rule, found=what)


class TensorReader:
    """Reads the constants of one file.

    source  path for messages
    folder  where the data of other files may lie; None: there is no such folder
    """

    def __init__(self, source: str, folder: Path | None) -> None:
        self.source = source
        self.folder = folder

    def array(self, proto: TensorProto, name: str = "") -> np.ndarray:
        """The constant, read-only or fresh.

        Raises UserError for sizes that are absurd or do not fit the shape, Unsupported for its type.
        """
        label = printable(name or proto.name)
        kind = numpy_type(proto.data_type, label)
        shape = tuple(proto.dims)
        if any(n < 0 for n in shape) or prod(shape) > MAX_ELEMENTS or len(shape) > 32:
            rule = f"a tensor has at most {MAX_ELEMENTS} elements"
            raise malformed(self.source, f"constant {label!r} is {list(shape)[:32]}", rule)
        if proto.HasField("segment"):
            raise malformed(self.source, f"constant {label!r} is stored in segments")
        if proto.data_location == TensorProto.EXTERNAL:
            raw = self._external(proto, label, prod(shape) * kind.itemsize)
        elif proto.HasField("raw_data"):
            raw = proto.raw_data
        else:
            return self._typed(proto, label, kind, shape)
        if len(raw) != prod(shape) * kind.itemsize:
            found = f"constant {label!r} {kind.name}{list(shape)} has {len(raw)} bytes"
            raise malformed(self.source, found, f"it takes {prod(shape) * kind.itemsize}")
        if kind == np.bool_:
            return (np.frombuffer(raw, np.uint8) != 0).reshape(shape)
        data = np.frombuffer(raw, kind.newbyteorder("<")).reshape(shape)
        return data if sys.byteorder == "little" else data.astype(kind)

    def _typed(self, proto: TensorProto, label: str, kind: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
        """Data in the field of its type; small integers and the bits of float16 are in int32_data."""
        values = getattr(proto, _FIELDS.get(kind, "int32_data"))
        if len(values) != prod(shape):
            found = f"constant {label!r} {kind.name}{list(shape)} has {len(values)} elements"
            raise malformed(self.source, found, f"it takes {prod(shape)}")
        if kind == np.float16:
            return (np.array(values, np.int64) & 0xFFFF).astype(np.uint16).view(kind).reshape(shape)
        wide = np.array(values, np.int64 if _FIELDS.get(kind) is None else None)
        return wide.astype(kind).reshape(shape)

    def _external(self, proto: TensorProto, label: str, count: int) -> bytes:
        """`count` bytes of another file in the model's own folder."""
        entries = {e.key: e.value for e in proto.external_data}
        location = entries.get("location", "")
        what = f"{self.source}: constant {label!r} is kept in another file"
        hint = "save the model in one file: onnx.save_model(model, path, save_as_external_data=False)"
        if self.folder is None or not location:
            raise UserError(what, found=printable(location) or "no location", hint=hint)
        try:
            folder = self.folder.resolve(strict=True)
            file = (folder / location).resolve(strict=True)
            offset, length = int(entries.get("offset", "0")), int(entries.get("length", str(count)))
            if Path(location).is_absolute() or not file.is_relative_to(folder) or not file.is_file():
                rule = "such files are regular files inside the model's own folder"
                raise UserError(what, rule=rule, found=printable(location), hint=hint)
            if offset < 0 or length != count or offset + count > file.stat().st_size:
                found = f"{length} bytes at {offset} of {file.stat().st_size}, {count} needed"
                raise UserError(what, rule="the file must hold the tensor", found=found)
            with file.open("rb") as stream:
                stream.seek(offset)
                return stream.read(count)
        except (OSError, ValueError) as error:
            raise UserError(what, found=str(error), hint=hint) from None
