#pragma once
#include "broadcast.h"

/* Product of int8 tensors with broadcasting.
 *
 *   y = saturate(rescale((a - zero_a) * (b - zero_b), multiplier, -right) + zero_y)
 *
 * The output is `runs` runs of n elements; within a run operand a advances by step_a (0 or 1) and b
 * by step_b, between runs as pl_broadcast says.
 * offset  zero_y << right plus 1 << (right - 1)
 * Aliasing: y may be an operand that is not broadcast. No scratch.
 * Bounds: right in [1, 22]; multiplier in [0, 2^31).
 */
typedef struct {
    int32_t runs, n, step_a, step_b, outer_dims;
    const int32_t *outer; /* [outer_dims][3] */
    int32_t zero_a, zero_b, multiplier, right, offset;
} pl_mul_s8__dsp_params;

/* saturate(rescale(product / 2, ...)): the product is doubled. */
static inline int8_t pl_mul_output(int32_t product, int32_t multiplier, int32_t offset,
                                   int32_t right)
{
    const int32_t v = pl_smmlar(product, multiplier, offset) + (product >> 31);
    return (int8_t)pl_ssat8(v >> right);
}

/* n elements; where an operand does not advance (step 0) it points to four copies of its element.
 * */
static PL_NOINLINE void pl_mul_run(const int8_t *a, int32_t step_a, const int8_t *b, int32_t step_b,
                                   int8_t *y, int32_t n, const pl_mul_s8__dsp_params *p)
{
    const int32_t zero_a = p->zero_a, zero_b = p->zero_b;
    const int32_t m = p->multiplier, offset = p->offset, right = p->right;
    const int32_t minus_a = pl_lanes(-zero_a, -zero_a), minus_b = pl_lanes(-zero_b, -zero_b);
    for (int8_t *const end = y + (n & ~3); y < end; y += 4) {
        const int32_t va = pl_ld32(a), vb = pl_ld32(b);
        a += 4 * step_a;
        b += 4 * step_b;
        const int32_t a0 = pl_sxtab16(minus_a, va), a1 = pl_sxtab16_ror8(minus_a, va);
        int32_t b0 = pl_sxtab16(minus_b, vb), b1 = pl_sxtab16_ror8(minus_b, vb);
        b0 = pl_sadd16(b0, b0);
        b1 = pl_sadd16(b1, b1);
        y[0] = pl_mul_output(pl_smlabb(a0, b0, 0), m, offset, right);
        y[1] = pl_mul_output(pl_smlabb(a1, b1, 0), m, offset, right);
        y[2] = pl_mul_output(pl_smlatt(a0, b0, 0), m, offset, right);
        y[3] = pl_mul_output(pl_smlatt(a1, b1, 0), m, offset, right);
    }
    for (int32_t left = n & 3; left > 0; left--, a += step_a, b += step_b) {
        *y++ = pl_mul_output(2 * (*a - zero_a) * (*b - zero_b), m, offset, right);
    }
}

static void pl_mul_s8__dsp(const int8_t *a, const int8_t *b, int8_t *y,
                           const pl_mul_s8__dsp_params *p)
{
    int8_t four_a[4], four_b[4];
    for (int32_t run = 0; run < p->runs; run++, y += p->n) {
        int32_t ia = 0, ib = 0;
        pl_broadcast(p->outer, p->outer_dims, run, &ia, &ib);
        const int8_t *from_a = pl_four_of(a + ia, p->step_a, four_a);
        const int8_t *from_b = pl_four_of(b + ib, p->step_b, four_b);
        pl_mul_run(from_a, p->step_a, from_b, p->step_b, y, p->n, p);
    }
}
