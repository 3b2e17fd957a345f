"""canonicalize: one plain form for what can be written in several ways."""

from __future__ import annotations

from ..ir import Graph
from .find_tables import FIND_TABLES
from .fold_affine import FOLD_AFFINE
from .fold_constants import fold_constants
from .fuse import FUSE
from .fuse_functions import FUSE_FUNCTIONS
from .rewrite import apply_rewrites, remove_dead_ops
from .simplify_movement import SIMPLIFY_MOVEMENT
from .uint8_to_int8 import shift_uint8


def canonicalize(graph: Graph) -> Graph:
    """Shift uint8 to int8, fold constants, fuse padding, factors and activations, drop movement and dead ops.

    Requires: a verified graph.
    Ensures:  outputs and states bit-identical on integer graphs, and on float graphs up to the order in
              which a mean adds and the rounding of folded weights and of functions found; graph inputs and
              outputs keep names, shapes and types. No quantized uint8 value inside the graph, except where
              rounding forbids the shift.
    """
    rewrites = (*SIMPLIFY_MOVEMENT, *FOLD_AFFINE, *FUSE_FUNCTIONS, *FUSE, *FIND_TABLES)
    return apply_rewrites(fold_constants(remove_dead_ops(shift_uint8(graph))), rewrites)
