#pragma once
#include "clamp_f32.h"
#include "elementwise.h"
#include <math.h>

/* Product of float tensors with broadcasting: y = clamp(a * b, low, high).
 *
 * The output is `runs` runs of n elements; within a run operand a advances by step_a (0 or 1) and b
 * by step_b, between runs as pl_broadcast says.
 * Aliasing: y may be an operand that is not broadcast. No scratch.
 */
typedef struct {
    int32_t runs, n, step_a, step_b, outer_dims;
    const int32_t *outer; /* [outer_dims][3] */
    float low, high;
} pl_mul_f32_params;

static void pl_mul_f32(const float *a, const float *b, float *y, const pl_mul_f32_params *p)
{
    for (int32_t run = 0; run < p->runs; run++) {
        int32_t ia = 0, ib = 0;
        pl_broadcast(p->outer, p->outer_dims, run, &ia, &ib);
        for (int32_t i = 0; i < p->n; i++, ia += p->step_a, ib += p->step_b) {
            *y++ = pl_clamp_f32(a[ia] * b[ib], p->low, p->high);
        }
    }
}
