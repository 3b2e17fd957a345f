#pragma once
#include "nearest_even.h"

/* Quantization of floats as ONNX does: y = clamp(nearest even(x / scale) + zero_y).
 *
 * low, high  smallest and largest y minus zero_y, which a float holds exactly; NaN gives low
 */
typedef struct {
    float scale, low, high;
    int32_t zero_y;
} pl_quantize_f32_onnx_params;

static inline int32_t pl_quantize_f32_onnx(float x, const pl_quantize_f32_onnx_params *p)
{
    return pl_clamped_nearest_even(x / p->scale, p->low, p->high) + p->zero_y;
}
