#pragma once
#include "common.h"

/* How accumulators of output channels become int8 outputs.
 * Bounds: with the bias, |accumulator| * 2^max(shift, 0) < 2^30; multiplier in [0, 2^31), shift in [-31, 30].
 */
typedef struct {
    int32_t zero_point, low, high;
    const int32_t *bias;       /* [channels] */
    const int32_t *multiplier; /* [channels] */
    const int8_t *shift;       /* [channels] */
} pl_channels_s8;

/* y[i] = clamp(requantize(acc[i] + bias[first + i])), i < n. */
static PL_NOINLINE void pl_store_s8(int8_t *y, const int32_t *acc, int32_t n, int32_t first,
                                    const pl_channels_s8 *c)
{
    const int32_t zero_point = c->zero_point, low = c->low, high = c->high;
    const int32_t *bias = c->bias + first, *multiplier = c->multiplier + first;
    const int8_t *shift = c->shift + first;
    for (const int32_t *end = acc + n; acc < end;) {
        const int32_t a = *acc++ + *bias++, m = *multiplier++, s = *shift++;
        int32_t v;
        if (s < 0) { /* nearly always; as pl_requantize, without the left shift */
            v = (int32_t)(((int64_t)(2 * a) * m + (int64_t)0x80000000) >> 32);
            v = (v + (v >> 31) + (int32_t)((1u << -s) >> 1)) >> -s;
            v += zero_point;
        } else {
            v = pl_requantize(a, m, s, zero_point);
        }
        v = v < low ? low : v;
        *y++ = (int8_t)(v > high ? high : v);
    }
}
