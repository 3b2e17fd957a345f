#pragma once
#include "quantize.h"

/* Requantize n elements from int32 to int8; see quantize.h for formula and bounds.
 * Aliasing: y may be x. No scratch.
 */
static void pl_quantize_s32_s8(const int32_t *x, int8_t *y, int32_t n, const pl_quantize_params *p)
{
    for (int32_t i = 0; i < n; i++) {
        y[i] = (int8_t)pl_quantize_element(x[i], p);
    }
}
