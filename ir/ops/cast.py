"""cast: the stored value as another type, without regard to quantization."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..cases import Draw, one_op_graph
from ..elementwise import draw_shape, type_names
from ..graph import Graph
from ..op import Arrays, Op, Problem, Tensors
from ..types import DType, Tensor

TYPES = (DType.INT8, DType.UINT8, DType.INT16, DType.INT32, DType.INT64, DType.FLOAT32, DType.BOOL)


@dataclass(frozen=True)
class Cast(Op):
    """y = (type of y) x.

    Integers wrap to narrower ones; floats truncate toward zero and saturate (NaN gives 0), which C and
    TFLite leave undefined outside the output's range; anything but 0 becomes true.
    """

    x: str
    y: str

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        for name in (self.x, self.y):
            if tensors[name].dtype not in TYPES:
                yield Problem(f"cast takes {type_names(TYPES)}", f"{name!r} is {tensors[name].dtype.value}")

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        return (tensors[self.x].shape,)

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        x, dtype = inputs[0], tensors[self.y].dtype
        if dtype is DType.BOOL or x.dtype != np.float32 or dtype is DType.FLOAT32:
            return (x.astype(dtype.numpy),)
        low, high = dtype.integer_range
        whole = np.trunc(np.nan_to_num(x.astype(np.float64), nan=0.0, posinf=high, neginf=low))
        # The largest int64 is no double: what reaches it is chosen, not converted.
        inside = whole < float(high)
        kept = np.where(inside, np.maximum(whole, low), 0).astype(np.int64)
        return (np.where(inside, kept, high).astype(dtype.numpy),)

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        # Other outputs are left to the unit tests: TFLM casts to these three.
        x_dtype = draw.choice([DType.INT8, DType.INT16, DType.FLOAT32])
        y_dtype = draw.choice([DType.INT8, DType.INT16, DType.FLOAT32])
        x = Tensor("x", draw_shape(draw, high=9), x_dtype)
        return one_op_graph(cls("cast", "x", "y"), [x, Tensor("y", (), y_dtype)])
