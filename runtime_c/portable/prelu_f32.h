#pragma once
#include "elementwise.h"

/* Parametric ReLU of floats, alpha with broadcasting: y = x >= 0 ? x : x * alpha.
 *
 * The output is `runs` runs of n elements; within a run x advances by step_a (0 or 1) and alpha by
 * step_b, between runs as pl_broadcast says.
 * Aliasing: y may be x. No scratch.
 */
typedef struct {
    int32_t runs, n, step_a, step_b, outer_dims;
    const int32_t *outer; /* [outer_dims][3] */
} pl_prelu_f32_params;

static void pl_prelu_f32(const float *x, const float *alpha, float *y, const pl_prelu_f32_params *p)
{
    for (int32_t run = 0; run < p->runs; run++) {
        int32_t ix = 0, ia = 0;
        pl_broadcast(p->outer, p->outer_dims, run, &ix, &ia);
        for (int32_t i = 0; i < p->n; i++, ix += p->step_a, ia += p->step_b) {
            *y++ = x[ix] >= 0.0f ? x[ix] : x[ix] * alpha[ia];
        }
    }
}
