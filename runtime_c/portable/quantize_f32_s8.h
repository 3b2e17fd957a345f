#pragma once
#include "quantize_f32.h"

/* Quantize n floats to int8; see quantize_f32.h. Aliasing: y may be x. No scratch. */
static void pl_quantize_f32_s8(const float *x, int8_t *y, int32_t n,
                               const pl_quantize_f32_params *p)
{
    for (int32_t i = 0; i < n; i++) {
        y[i] = (int8_t)pl_quantize_f32(x[i], p);
    }
}
