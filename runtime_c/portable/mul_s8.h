#pragma once
#include "elementwise.h"

/* Product of int8 tensors with broadcasting.
 *
 *   y = clamp(rescale((a - zero_a) * (b - zero_b), multiplier, shift) + zero_y, low, high)
 *
 * The output is `runs` runs of n elements; within a run operand a advances by step_a (0 or 1) and b
 * by step_b, between runs as pl_broadcast says.
 * Aliasing: y may be an operand that is not broadcast. No scratch.
 * Bounds: |product| <= 2^30, and below 2^30 after the left shift of a positive `shift`.
 */
typedef struct {
    int32_t runs, n, step_a, step_b, outer_dims;
    const int32_t *outer; /* [outer_dims][3] */
    int32_t zero_a, zero_b, zero_y, multiplier, shift, low, high;
} pl_mul_s8_params;

static void pl_mul_s8(const int8_t *a, const int8_t *b, int8_t *y, const pl_mul_s8_params *p)
{
    for (int32_t run = 0; run < p->runs; run++) {
        int32_t ia = 0, ib = 0;
        pl_broadcast(p->outer, p->outer_dims, run, &ia, &ib);
        for (int32_t i = 0; i < p->n; i++, ia += p->step_a, ib += p->step_b) {
            const int32_t product = (a[ia] - p->zero_a) * (b[ib] - p->zero_b);
            const int32_t v = pl_rescale(product, p->multiplier, p->shift) + p->zero_y;
            *y++ = (int8_t)pl_clamp(v, p->low, p->high);
        }
    }
}
