#pragma once
#include "common.h"

/* y[i] = (x[i] - zero_point) * scale, n elements of int16 to float. No aliasing, no scratch.
 * The difference has at most 17 bits, so the product is rounded once.
 */
static void pl_dequantize_s16(const int16_t *x, float *y, int32_t n, int32_t zero_point,
                              float scale)
{
    for (int32_t i = 0; i < n; i++) {
        y[i] = (float)(x[i] - zero_point) * scale;
    }
}
