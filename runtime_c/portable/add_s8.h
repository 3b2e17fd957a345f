#pragma once
#include "elementwise.h"

/* Sum (sign 1) or difference (sign -1) of int8 tensors with broadcasting.
 *
 *   part_a = rescale((a - zero_a) << 20, multiplier_a, shift_a), part_b alike
 *   y = clamp(requantize(part_a + sign * part_b, multiplier_y, shift_y, zero_y), low, high)
 *
 * The output is `runs` runs of n elements; within a run operand a advances by step_a (0 or 1) and b
 * by step_b, between runs as pl_broadcast says.
 * Aliasing: y may be an operand that is not broadcast. No scratch.
 * Bounds: multipliers of a and b mean factors of at most 1/2, that of y below 1. Shifted
 * operands stay below 2^28 and their sum below 2^28.
 */
typedef struct {
    int32_t runs, n, step_a, step_b, outer_dims;
    const int32_t *outer; /* [outer_dims][3] */
    int32_t zero_a, multiplier_a, shift_a;
    int32_t zero_b, multiplier_b, shift_b, sign;
    int32_t zero_y, multiplier_y, shift_y, low, high;
} pl_add_s8_params;

static void pl_add_s8(const int8_t *a, const int8_t *b, int8_t *y, const pl_add_s8_params *p)
{
    for (int32_t run = 0; run < p->runs; run++) {
        int32_t ia = 0, ib = 0;
        pl_broadcast(p->outer, p->outer_dims, run, &ia, &ib);
        for (int32_t i = 0; i < p->n; i++, ia += p->step_a, ib += p->step_b) {
            const int32_t xa = (a[ia] - p->zero_a) * (1 << 20);
            const int32_t xb = (b[ib] - p->zero_b) * (1 << 20);
            const int32_t part_a = pl_requantize(xa, p->multiplier_a, p->shift_a, 0);
            const int32_t part_b = pl_requantize(xb, p->multiplier_b, p->shift_b, 0);
            const int32_t sum = part_a + p->sign * part_b;
            const int32_t v = pl_requantize(sum, p->multiplier_y, p->shift_y, p->zero_y);
            *y++ = (int8_t)pl_clamp(v, p->low, p->high);
        }
    }
}
