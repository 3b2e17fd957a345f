#pragma once
#include "quantize.h"

/* Requantize n elements from int16 to int32; see quantize.h for formula and bounds.
 * Aliasing: none. No scratch.
 */
static void pl_quantize_s16_s32(const int16_t *x, int32_t *y, int32_t n,
                                const pl_quantize_params *p)
{
    for (int32_t i = 0; i < n; i++) {
        y[i] = (int32_t)pl_quantize_element(x[i], p);
    }
}
