#pragma once
#include "common.h"

/* How accumulators of output channels become int16 outputs: TFLite's 16x8 rule, one rounding, ties up.
 * multiplier is the 31-bit multiplier rounded to 15 bits, shift = 15 - its shift, in [8, 46].
 * Bounds: with the bias, |accumulator| < 2^47, and scaled it fits int32.
 */
typedef struct {
    int32_t low, high;
    const int64_t *bias;       /* [channels] */
    const int16_t *multiplier; /* [channels] */
    const int8_t *shift;       /* [channels] */
} pl_channels_s16;

/* y[i] = clamp(((acc[i] + bias[first + i]) * multiplier + half) >> shift), i < n. */
static PL_NOINLINE void pl_store_s16(int16_t *y, const int64_t *acc, int32_t n, int32_t first,
                                     const pl_channels_s16 *c)
{
    for (int32_t i = 0; i < n; i++) {
        const int32_t oc = first + i, shift = c->shift[oc];
        const int64_t scaled = (acc[i] + c->bias[oc]) * c->multiplier[oc];
        const int64_t half = (int64_t)1 << (shift - 1);
        y[i] = (int16_t)pl_clamp((int32_t)((scaled + half) >> shift), c->low, c->high);
    }
}
