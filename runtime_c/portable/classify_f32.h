#pragma once
#include "common.h"
#include <math.h>

/* y[i] = whether x[i] is not a number (nan), negative infinity (negative) or positive infinity
 * (positive); n floats, y of n bytes, 0 or 1. Aliasing: y may be x. No scratch.
 */
static PL_INLINE void pl_classify_f32(const float *x, uint8_t *y, int32_t n, int nan, int negative,
                                      int positive)
{
    for (int32_t i = 0; i < n; i++) {
        const float v = x[i];
        y[i] = (nan && v != v) || (negative && v == -INFINITY) || (positive && v == INFINITY);
    }
}
