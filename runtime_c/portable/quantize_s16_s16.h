#pragma once
#include "quantize.h"

/* Requantize n elements from int16 to int16; see quantize.h for formula and bounds.
 * Aliasing: y may be x. No scratch.
 */
static void pl_quantize_s16_s16(const int16_t *x, int16_t *y, int32_t n,
                                const pl_quantize_params *p)
{
    for (int32_t i = 0; i < n; i++) {
        y[i] = (int16_t)pl_quantize_element(x[i], p);
    }
}
