"""Tables that files spell out as an index computed from a byte."""

from __future__ import annotations

import numpy as np

from ..ir import DType, Op, Tensor
from ..ir.ops.binary import Binary
from ..ir.ops.cast import Cast
from ..ir.ops.gather import Gather
from ..ir.ops.lookup import Lookup
from .rewrite import Change, Rewrite, Site


def find_table(site: Site, op: Op) -> Change | None:
    """gather(table of 256 bytes, cast(int8 x) + 128) is a lookup."""
    if not isinstance(op, Gather) or op.axis != 0:
        return None
    table, add = site[op.x], site.producers.get(op.indices)
    if table.data is None or table.shape != (256,) or table.dtype not in (DType.INT8, DType.UINT8):
        return None
    if not isinstance(add, Binary) or add.function != "add":
        return None
    index, offset = (add.b, add.a) if site[add.a].constant else (add.a, add.b)
    cast, data = site.producers.get(index), site[offset].data
    if not isinstance(cast, Cast) or data is None or data.size != 1 or int(data.reshape(-1)[0]) != 128:
        return None
    if site[cast.x].dtype is not DType.INT8 or site[cast.x].shape != site[op.y].shape:
        return None
    # A lookup's table starts with the entry of x = 0.
    entries = Tensor(site.fresh(f"{op.name}_table"), (256,), table.dtype, None, np.roll(table.data, -128))
    return Change({op.name: (Lookup(op.name, cast.x, entries.name, op.y),)}, (entries,))


FIND_TABLES: tuple[Rewrite, ...] = (find_table,)
