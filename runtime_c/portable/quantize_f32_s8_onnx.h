#pragma once
#include "quantize_f32_onnx.h"

/* Quantize n floats to int8; see quantize_f32_onnx.h. Aliasing: y may be x. No scratch. */
static void pl_quantize_f32_s8_onnx(const float *x, int8_t *y, int32_t n,
                                    const pl_quantize_f32_onnx_params *p)
{
    for (int32_t i = 0; i < n; i++) {
        y[i] = (int8_t)pl_quantize_f32_onnx(x[i], p);
    }
}
