"""Kernels of gather_nd."""

from __future__ import annotations

from math import prod

from ...ir.ops.gather_nd import GatherND
from ...passes.planner.kernel import Call, Kernel, Struct, Tensors
from .float_work import indexed_work
from .movement import pitches
from .typed import anything, bytes_of, table, type_of


def _emit(op: GatherND, tensors: Tensors) -> tuple[Call, ...]:
    x, indices = tensors[op.x], tensors[op.indices]
    depth, batch = indices.shape[-1], op.batch_dims
    dense = pitches(x.shape, x.dtype.itemsize)
    tuples, batches = indices.elements // depth, prod(x.shape[:batch])
    sizes = [(x.shape[d], dense[d]) for d in range(batch, batch + depth)]
    fields = (
        ("tuples", tuples),
        ("per_batch", tuples // batches),
        ("batch_bytes", x.size_bytes // batches),
        ("depth", depth),
        ("bytes", prod(x.shape[batch + depth :]) * x.dtype.itemsize),
        ("dims", table("dims", sizes)),
    )
    pointers = (bytes_of("x", op.x), bytes_of("indices", op.indices), bytes_of("y", op.y, writable=True))
    arguments = ("x", "indices", "y", type_of(indices), "&p")
    return (Call("pl_gather_nd", pointers, arguments, Struct("pl_gather_nd_params", fields)),)


KERNELS = (Kernel("pl_gather_nd", "portable/gather_nd.h", GatherND, anything, _emit, work=indexed_work),)
