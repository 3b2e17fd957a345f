"""How results that need not be integers become stored integers: the `rounding` attribute of operators."""

from __future__ import annotations

from enum import Enum


class Rounding(Enum):
    """The rule of a model's ecosystem, carried by every op that requantizes.

    TFLITE_DOUBLE  fixed-point multiplier, rounded twice (int16: once): TFLite's reference kernels
    ONNX_F32       float32 arithmetic, then to the nearest integer, ties to even: onnxruntime's kernels
    ONNX_F32_U8    the same, of values that are stored less 128: where the float32 arithmetic adds zero
                   points before it rounds, these are the ones of uint8 values
    """

    TFLITE_DOUBLE = "tflite_double"
    ONNX_F32 = "onnx_f32"
    ONNX_F32_U8 = "onnx_f32_u8"

    @property
    def onnx(self) -> bool:
        return self is not Rounding.TFLITE_DOUBLE

    @property
    def offset(self) -> int:
        """What float32 arithmetic adds to stored values before it uses them."""
        return 128 if self is Rounding.ONNX_F32_U8 else 0


ONNX_ROUNDINGS = frozenset({Rounding.ONNX_F32, Rounding.ONNX_F32_U8})
TFLITE_ROUNDINGS = frozenset({Rounding.TFLITE_DOUBLE})
