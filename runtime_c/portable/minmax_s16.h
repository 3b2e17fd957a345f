#pragma once
#include "elementwise.h"

/* Element-wise minimum (largest 0) or maximum (largest 1) of int16 tensors with broadcasting.
 *
 * The output is `runs` runs of n elements; within a run operand a advances by step_a (0 or 1) and b
 * by step_b, between runs as pl_broadcast says.
 * Aliasing: y may be an operand that is not broadcast. No scratch.
 */
typedef struct {
    int32_t runs, n, step_a, step_b, outer_dims;
    const int32_t *outer; /* [outer_dims][3] */
    int32_t largest;
} pl_minmax_s16_params;

static void pl_minmax_s16(const int16_t *a, const int16_t *b, int16_t *y,
                          const pl_minmax_s16_params *p)
{
    for (int32_t run = 0; run < p->runs; run++) {
        int32_t ia = 0, ib = 0;
        pl_broadcast(p->outer, p->outer_dims, run, &ia, &ib);
        for (int32_t i = 0; i < p->n; i++, ia += p->step_a, ib += p->step_b) {
            const int16_t va = a[ia], vb = b[ib];
            *y++ = (va > vb) == (p->largest != 0) ? va : vb;
        }
    }
}
