#pragma once
#include "elementwise.h"

/* Leaky ReLU of n int16 elements, zero points 0.
 *
 *   y = saturate(x >= 0 ? rescale(x, multiplier, shift)
 *                       : rescale(x, multiplier_alpha, shift_alpha))
 *
 * Aliasing: y may be x. No scratch. Bounds: |x| < 2^30 after left shifts; multiplier_alpha may be
 * negative.
 */
typedef struct {
    int32_t multiplier, shift, multiplier_alpha, shift_alpha;
} pl_leaky_relu_s16_params;

static void pl_leaky_relu_s16(const int16_t *x, int16_t *y, int32_t n,
                              const pl_leaky_relu_s16_params *p)
{
    for (int32_t i = 0; i < n; i++) {
        const int32_t v = x[i] >= 0 ? pl_rescale(x[i], p->multiplier, p->shift)
                                    : pl_rescale(x[i], p->multiplier_alpha, p->shift_alpha);
        y[i] = (int16_t)pl_clamp(v, INT16_MIN, INT16_MAX);
    }
}
