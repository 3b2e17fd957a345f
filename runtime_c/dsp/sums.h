#pragma once
#include "common_dsp.h"

/* Sums of int8 over pixels, four channels side by side: even holds channels 0 and 2 as lanes, odd 1
 * and 3. Bounds: at most PL_SUM_PIXELS pixels are added to zeroed lanes.
 */
enum { PL_SUM_PIXELS = 255 };

typedef struct {
    int32_t even, odd;
} pl_sum4;

/* Adds n pixels, `stride` bytes apart. */
static PL_NOINLINE void pl_sum4_add(pl_sum4 *sum, const int8_t *x, int32_t stride, int32_t n)
{
    int32_t even = sum->even, odd = sum->odd;
    for (; n >= 4; n -= 4) {
        const int8_t *second = x + 2 * stride;
        const int32_t a = pl_ld32(x), b = pl_ld32(x + stride);
        const int32_t c = pl_ld32(second), d = pl_ld32(second + stride);
        even = pl_sxtab16(pl_sxtab16(even, a), b);
        odd = pl_sxtab16_ror8(pl_sxtab16_ror8(odd, a), b);
        even = pl_sxtab16(pl_sxtab16(even, c), d);
        odd = pl_sxtab16_ror8(pl_sxtab16_ror8(odd, c), d);
        x = second + 2 * stride;
    }
    for (; n > 0; n--, x += stride) {
        const int32_t a = pl_ld32(x);
        even = pl_sxtab16(even, a);
        odd = pl_sxtab16_ror8(odd, a);
    }
    sum->even = even;
    sum->odd = odd;
}

/* Adds the four sums to total[]. */
static inline void pl_sum4_flush(pl_sum4 sum, int32_t *total)
{
    total[0] += pl_low(sum.even);
    total[1] += pl_low(sum.odd);
    total[2] += pl_high(sum.even);
    total[3] += pl_high(sum.odd);
}
