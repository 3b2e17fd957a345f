"""Types of values: element type, quantization, tensor, state."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from math import prod

import numpy as np


class DType(Enum):
    """Element type of a tensor. The value is the printed name; `ctype` and `numpy` say how it is stored."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    INT64 = "int64"
    INT32 = "int32"
    INT16 = "int16"
    INT8 = "int8"
    UINT8 = "uint8"
    BOOL = "bool"

    @property
    def numpy(self) -> np.dtype:
        return np.dtype(self.value)

    @property
    def itemsize(self) -> int:
        """Bytes per element."""
        return self.numpy.itemsize

    @property
    def ctype(self) -> str:
        """The C99 type that holds one element."""
        special = {"float32": "float", "float16": "uint16_t", "bool": "uint8_t"}
        return special.get(self.value, f"{self.value}_t")

    @property
    def suffix(self) -> str:
        """Suffix of kernel names for this type, e.g. `s8` in `pl_conv2d_s8`."""
        return {
            "float32": "f32",
            "float16": "f16",
            "int64": "s64",
            "int32": "s32",
            "int16": "s16",
            "int8": "s8",
            "uint8": "u8",
            "bool": "b8",
        }[self.value]

    @property
    def integer_range(self) -> tuple[int, int]:
        """Smallest and largest value of an integer type."""
        info = np.iinfo(self.numpy)
        return int(info.min), int(info.max)


@dataclass(frozen=True)
class Quant:
    """Affine quantization: real = scale * (q - zero_point).

    scale       one value, or one per index of dimension `axis`; each is exactly a float32
    zero_point  as many as scales
    axis        dimension the scales run along; None when there is one scale
    """

    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int | None = None

    @property
    def per_axis(self) -> bool:
        return self.axis is not None

    @property
    def s(self) -> float:
        """The only scale. Raises ValueError when there are several."""
        if len(self.scale) != 1:
            raise ValueError("tensor has one scale per channel")
        return self.scale[0]

    @property
    def z(self) -> int:
        """The only zero point. Raises ValueError when there are several."""
        if len(self.zero_point) != 1:
            raise ValueError("tensor has one zero point per channel")
        return self.zero_point[0]


@dataclass(frozen=True, eq=False)
class Tensor:
    """A value of the graph: computed once (SSA) or constant (`data` given, shape and dtype as declared)."""

    name: str
    shape: tuple[int, ...]
    dtype: DType
    quant: Quant | None = None
    data: np.ndarray | None = None

    @property
    def elements(self) -> int:
        return prod(self.shape)

    @property
    def size_bytes(self) -> int:
        return self.elements * self.dtype.itemsize

    @property
    def constant(self) -> bool:
        return self.data is not None

    @property
    def zero_point(self) -> int:
        """The zero point, 0 for tensors without quantization."""
        return self.quant.z if self.quant else 0


@dataclass(frozen=True, eq=False)
class State:
    """A tensor that lives between calls; `initial` is what a reset puts there."""

    name: str
    shape: tuple[int, ...]
    dtype: DType
    quant: Quant | None
    initial: np.ndarray

    @property
    def size_bytes(self) -> int:
        return prod(self.shape) * self.dtype.itemsize
