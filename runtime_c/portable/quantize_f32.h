#pragma once
#include "elementwise.h"

/* Quantization of floats: y = clamp(round(x / scale) + zero_y), half away from zero.
 *
 * low, high  smallest and largest y minus zero_y, which a float holds exactly; NaN gives low
 */
typedef struct {
    float scale, low, high;
    int32_t zero_y;
} pl_quantize_f32_params;

static inline int32_t pl_quantize_f32(float x, const pl_quantize_f32_params *p)
{
    const float v = x / p->scale;
    /* Clamped before the conversion, which is undefined for values that do not fit. */
    const float clamped = !(v > p->low) ? p->low : v > p->high ? p->high : v;
    const int32_t whole = (int32_t)clamped;
    const float rest = clamped - (float)whole;
    return whole + (rest >= 0.5f) - (rest <= -0.5f) + p->zero_y;
}
