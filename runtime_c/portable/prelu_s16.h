#pragma once
#include "elementwise.h"

/* Parametric ReLU of int16, int8 alpha with broadcasting.
 *
 *   v = x - zero_x
 *   y = saturate(zero_y + (v >= 0 ? rescale(v, multiplier, shift)
 *                                 : rescale(v * (alpha - zero_alpha), multiplier_a, shift_a)))
 *
 * The output is `runs` runs of n elements; within a run x advances by step_a (0 or 1) and alpha by
 * step_b, between runs as pl_broadcast says.
 * Aliasing: y may be x. No scratch. Bounds: |v|, |v * alpha| below 2^30 after left shifts.
 */
typedef struct {
    int32_t runs, n, step_a, step_b, outer_dims;
    const int32_t *outer; /* [outer_dims][3] */
    int32_t zero_x, zero_alpha, zero_y, multiplier, shift, multiplier_a, shift_a;
} pl_prelu_s16_params;

static void pl_prelu_s16(const int16_t *x, const int8_t *alpha, int16_t *y,
                         const pl_prelu_s16_params *p)
{
    for (int32_t run = 0; run < p->runs; run++) {
        int32_t ix = 0, ia = 0;
        pl_broadcast(p->outer, p->outer_dims, run, &ix, &ia);
        for (int32_t i = 0; i < p->n; i++, ix += p->step_a, ia += p->step_b) {
            const int32_t v = x[ix] - p->zero_x;
            const int32_t product = v * (alpha[ia] - p->zero_alpha);
            const int32_t scaled = v >= 0 ? pl_rescale(v, p->multiplier, p->shift)
                                          : pl_rescale(product, p->multiplier_a, p->shift_a);
            *y++ = (int16_t)pl_clamp(scaled + p->zero_y, INT16_MIN, INT16_MAX);
        }
    }
}
