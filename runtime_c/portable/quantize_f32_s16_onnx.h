#pragma once
#include "quantize_f32_onnx.h"

/* Quantize n floats to int16; see quantize_f32_onnx.h. Aliasing: none. No scratch. */
static void pl_quantize_f32_s16_onnx(const float *x, int16_t *y, int32_t n,
                                     const pl_quantize_f32_onnx_params *p)
{
    for (int32_t i = 0; i < n; i++) {
        y[i] = (int16_t)pl_quantize_f32_onnx(x[i], p);
    }
}
