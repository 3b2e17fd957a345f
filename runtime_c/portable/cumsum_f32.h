#pragma once
#include "common.h"

/* Running sums (or products) of floats along the middle dimension of x [outer, size, inner].
 *
 *   y[o, k, i] = x[o, 0, i] + ... + x[o, k, i]
 *
 * exclusive: without x[o, k, i]; reverse: from the end
 * Aliasing: y may be x. No scratch.
 */
static PL_INLINE void pl_cumsum_f32(const float *x, float *y, int32_t outer, int32_t size,
                                    int32_t inner, int exclusive, int reverse, int product)
{
    for (int32_t o = 0; o < outer; o++) {
        for (int32_t i = 0; i < inner; i++) {
            float total = product ? 1.0f : 0.0f;
            for (int32_t k = 0; k < size; k++) {
                const int32_t at = (o * size + (reverse ? size - 1 - k : k)) * inner + i;
                const float before = total;
                total = product ? total * x[at] : total + x[at];
                y[at] = exclusive ? before : total;
            }
        }
    }
}
