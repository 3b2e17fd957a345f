"""Functions of one dequantized byte that are quantized again, as tables."""

from __future__ import annotations

import numpy as np

from ..ir import DType, Op, Tensor
from ..ir.ops.binary import Binary
from ..ir.ops.dequantize import Dequantize
from ..ir.ops.lookup import Lookup
from ..ir.ops.quantize import Quantize
from .lower import ELEMENTWISE
from .rewrite import Change, Site

_MOST_OPS = 16
"""Ops a table stands for at most: activations written out in parts."""


class _Function:
    """The ops between one int8 value and a float that depends on nothing else, element by element."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self.source: str | None = None
        self.ops: dict[str, Op] = {}

    def reaches(self, name: str, shape: tuple[int, ...]) -> bool:
        """Whether `name` is such a float, of that shape; the ops are noted in order."""
        t, op = self._site[name], self._site.producers.get(name)
        if t.constant:
            return t.elements == 1
        if op is None or t.shape != shape:
            return False
        if op.name in self.ops:
            return True
        if isinstance(op, Dequantize):
            if self.source not in (None, op.x) or self._site[op.x].dtype is not DType.INT8:
                return False
            self.source = op.x
        elif not isinstance(op, (*ELEMENTWISE, Binary)) or not all(self.reaches(x, shape) for x in op.inputs):
            return False
        self.ops[op.name] = op
        return len(self.ops) <= _MOST_OPS

    def table(self, last: Quantize) -> np.ndarray:
        """Stored results for the bytes 0 to 255 read as int8, by the references of the ops."""
        tensors = self._site.graph.tensors
        assert self.source is not None
        values = {self.source: np.arange(256, dtype=np.uint8).view(np.int8)}
        with np.errstate(all="ignore"):
            for op in (*self.ops.values(), last):
                operands = [values[x] if x in values else tensors[x].data for x in op.inputs]
                given = [o.reshape(-1) for o in operands if o is not None]
                (result,) = op.reference(tensors, *given)
                (y,) = op.outputs
                values[y] = np.broadcast_to(result, 256).astype(tensors[y].dtype.numpy)
        return values[last.y]


def fuse_table(site: Site, op: Op) -> Change | None:
    """A quantize of a function of one int8 value becomes a Lookup; ops others read stay for them."""
    if not isinstance(op, Quantize) or not op.rounding.onnx or site[op.y].dtype is not DType.INT8:
        return None
    function = _Function(site)
    reached = site[op.x].dtype is DType.FLOAT32 and function.reaches(op.x, site[op.x].shape)
    if not reached or function.source is None or len(function.ops) < 2:
        return None
    entries = function.table(op)
    table = Tensor(site.fresh(f"{op.name}_table"), (256,), DType.INT8, None, entries)
    return Change({op.name: (Lookup(op.name, function.source, table.name, op.y),)}, (table,))
