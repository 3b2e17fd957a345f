#pragma once
#include "../portable/elementwise.h"

/* Sum or difference of int8 tensors with broadcasting.
 *
 *   y = clamp((offset + factor_a * a + factor_b * b) >> right, low, high)
 *
 * which equals pl_add_s8 for all 65536 pairs of operands (checked when the code was generated).
 * The output is `runs` runs of n elements; within a run operand a advances by step_a (0 or 1) and b
 * by step_b, between runs as pl_broadcast says.
 * Aliasing: y may be an operand that is not broadcast. No scratch.
 * Bounds: |offset| + 128 * (|factor_a| + |factor_b|) < 2^31; right in [12, 23].
 */
typedef struct {
    int32_t runs, n, step_a, step_b, outer_dims;
    const int32_t *outer; /* [outer_dims][3] */
    int32_t factor_a, factor_b, offset, right, low, high;
} pl_add_s8__scalar_params;

static PL_NOINLINE void pl_add_linear_run(const int8_t *a, const int8_t *b, int8_t *y,
                                          const pl_add_s8__scalar_params *p)
{
    const int32_t step_a = p->step_a, step_b = p->step_b, right = p->right;
    const int32_t factor_a = p->factor_a, factor_b = p->factor_b, offset = p->offset;
    const int32_t low = p->low, high = p->high;
    for (int8_t *const end = y + p->n; y < end; a += step_a, b += step_b) {
        const int32_t v = (offset + factor_a * *a + factor_b * *b) >> right;
        *y++ = (int8_t)pl_clamp(v, low, high);
    }
}

static void pl_add_s8__scalar(const int8_t *a, const int8_t *b, int8_t *y,
                              const pl_add_s8__scalar_params *p)
{
    for (int32_t run = 0; run < p->runs; run++, y += p->n) {
        int32_t ia = 0, ib = 0;
        pl_broadcast(p->outer, p->outer_dims, run, &ia, &ib);
        pl_add_linear_run(a + ia, b + ib, y, p);
    }
}
