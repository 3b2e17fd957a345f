"""Small one-operator graphs for unit tests of operators."""

from __future__ import annotations

import numpy as np
from patchloom.ir import DType, Op, Quant, Tensor

I8, U8, I16, I32, F32, BOOL = (
    DType.INT8,
    DType.UINT8,
    DType.INT16,
    DType.INT32,
    DType.FLOAT32,
    DType.BOOL,
)


def tensor(
    name: str,
    dtype: DType,
    shape: tuple[int, ...] = (1,),
    scale: float | None = None,
    zero_point: int = 0,
    data: object = None,
) -> Tensor:
    """A tensor with one scale (None: no quantization); `data` makes it constant."""
    quant = None if scale is None else Quant((scale,), (zero_point,))
    array = None if data is None else np.array(data, dtype.numpy).reshape(shape)
    return Tensor(name, shape, dtype, quant, array)


def table(*tensors: Tensor) -> dict[str, Tensor]:
    """Tensors by name."""
    return {t.name: t for t in tensors}


def run(op: Op, tensors: tuple[Tensor, ...], *inputs: list[float]) -> list[float]:
    """Flat output of the reference on flat inputs, in the order of `op.inputs` (constants left out)."""
    by_name = table(*tensors)
    given = iter(inputs)
    arrays = []
    for name in op.inputs:
        t = by_name[name]
        array = t.data if t.data is not None else np.array(next(given), t.dtype.numpy).reshape(t.shape)
        arrays.append(array)
    (y,) = op.reference(by_name, *arrays)
    shape = op.infer(by_name)[0]
    return y.astype(by_name[op.outputs[0]].dtype.numpy).reshape(shape).ravel().tolist()


def rules(op: Op, *tensors: Tensor) -> list[str]:
    """Texts of the rules that are not met."""
    return [problem.rule for problem in op.rules(table(*tensors))]
