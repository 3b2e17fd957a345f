"""Every operator that is imported, by name."""

from __future__ import annotations

from . import (
    integer_products,
    ops_control,
    ops_elementwise,
    ops_movement,
    ops_norm,
    ops_pooling,
    ops_recurrent,
    ops_reduce,
    ops_resize,
    ops_weights,
    quantized,
)
from .builder import Converters
from .folding import FOLDERS

_CONVERTERS = {
    **integer_products.CONVERTERS,
    **ops_control.CONVERTERS,
    **ops_elementwise.CONVERTERS,
    **ops_movement.CONVERTERS,
    **ops_norm.CONVERTERS,
    **ops_pooling.CONVERTERS,
    **ops_recurrent.CONVERTERS,
    **ops_reduce.CONVERTERS,
    **ops_resize.CONVERTERS,
    **ops_weights.CONVERTERS,
    **quantized.CONVERTERS,
}

_QUANTIZED = {
    **{name: quantized.noting_scales(_CONVERTERS[name]) for name in quantized.SCALED},
    **{name: quantized.on_real_values(_CONVERTERS[name]) for name in quantized.STORED},
}

CONVERTERS = Converters(_CONVERTERS | _QUANTIZED, FOLDERS)
