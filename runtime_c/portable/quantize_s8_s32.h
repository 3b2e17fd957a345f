#pragma once
#include "quantize.h"

/* Requantize n elements from int8 to int32; see quantize.h for formula and bounds.
 * Aliasing: none. No scratch.
 */
static void pl_quantize_s8_s32(const int8_t *x, int32_t *y, int32_t n, const pl_quantize_params *p)
{
    for (int32_t i = 0; i < n; i++) {
        y[i] = (int32_t)pl_quantize_element(x[i], p);
    }
}
