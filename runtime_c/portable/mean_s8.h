#pragma once
#include "mean.h"

/* Mean of int8 over some dimensions.
 *
 *   y[o] = saturate(requantize(offset + sum of the elements of x reduced to o))
 *
 * 1 / number of elements is part of the multiplier; offset is minus their number times the zero
 * point of x.
 * x is walked as mean.h says; y [outputs] must not overlap x. No scratch.
 * Bounds: |offset + sum| < 2^30 after the left shift of a positive `shift` (proven when the code
 * was generated).
 */
typedef struct {
    int32_t outputs, kept_dims;
    const int32_t *kept; /* [kept_dims][2] */
    int32_t runs, n, stride, outer_dims;
    const int32_t *outer; /* [outer_dims][2] */
    int32_t offset, multiplier, shift, zero_y;
} pl_mean_s8_params;

static void pl_mean_s8(const int8_t *x, int8_t *y, const pl_mean_s8_params *p)
{
    for (int32_t o = 0; o < p->outputs; o++) {
        const int8_t *from = x + pl_offset(p->kept, p->kept_dims, o);
        int32_t sum = p->offset;
        for (int32_t run = 0; run < p->runs; run++) {
            const int8_t *v = from + pl_offset(p->outer, p->outer_dims, run);
            for (int32_t i = 0; i < p->n; i++) {
                sum += v[i * p->stride];
            }
        }
        const int32_t mean = pl_requantize(sum, p->multiplier, p->shift, p->zero_y);
        y[o] = (int8_t)pl_clamp(mean, INT8_MIN, INT8_MAX);
    }
}
