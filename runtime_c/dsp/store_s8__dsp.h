#pragma once
#include "common_dsp.h"

/* How an output channel's accumulators become int8 outputs, y = saturate(requantize(acc + bias)),
 * in the form that takes fewest instructions. All right shifts are at least 1.
 *
 *   t = 2 * (acc + bias);  y = ssat8((smmulr(t, multiplier) + (t < 0 ? -1 : 0) + merged) >> shift)
 *
 * which is pl_requantize: the sign may be taken from t instead of the rounded product, because the
 * two differ only where that product is 0, and then the result is 0 either way.
 *
 * bias2   2 * bias;  merged   half of 2^shift, plus the zero point * 2^shift
 * Bounds: |acc + bias| < 2^30 and |product| + |merged| < 2^31 (proven when the code was generated).
 */
typedef struct {
    int32_t bias2, multiplier, merged, shift;
} pl_channel_dsp;

/* The output of a doubled accumulator that includes the bias. */
static inline int32_t pl_requantize_dsp(int32_t doubled, int32_t multiplier, int32_t merged,
                                        int32_t shift)
{
    return pl_ssat8(pl_smmlar(doubled, multiplier, merged + (doubled >> 31)) >> shift);
}

/* Outputs clamped further than to int8: y[i] to [low, high], i < n. */
static PL_NOINLINE void pl_clamp_s8(int8_t *y, int32_t n, int32_t low, int32_t high)
{
    const int32_t low4 = (int32_t)(((uint32_t)low & 0xFFu) * 0x01010101u);
    const int32_t high4 = (int32_t)(((uint32_t)high & 0xFFu) * 0x01010101u);
    for (; n >= 4; n -= 4, y += 4) {
        pl_st32(y, pl_min4_s8(pl_max4_s8(pl_ld32(y), low4), high4));
    }
    for (; n > 0; n--, y++) {
        *y = (int8_t)pl_clamp(*y, low, high);
    }
}
