#pragma once
#include "common_scalar.h"

/* How accumulators of output channels become int8 outputs: everything of a channel side by side.
 *
 * bias2   twice the bias
 * right   shift to the right, at most 31, negative to the left; 64 more where [low, high] is not
 *         all of int8
 * merged  with a right shift in [1, 22]: 2^(right - 1) + zero_point * 2^right, so that the half
 *         that rounds and the zero point are one addition before the shift; it stays below 2^30,
 *         as does the value it is added to. Otherwise not used.
 * Bounds as for pl_channels_s8.
 */
typedef struct {
    int32_t bias2, multiplier, merged, right;
} pl_output_s8;

typedef struct {
    int32_t zero_point, low, high;
    const int32_t *channels; /* [channels][4], the fields of pl_output_s8 */
} pl_outputs_s8;

static PL_INLINE pl_output_s8 pl_output_of_s8(const int32_t *channel)
{
    const pl_output_s8 r = {channel[0], channel[1], channel[2], channel[3]};
    return r;
}

/* Whether the short form below is all there is to do. */
static PL_INLINE int pl_is_short_s8(const pl_output_s8 *c)
{
    return (uint32_t)(c->right - 1) < 22u;
}

/* pl_requantize and saturation with a right shift in [1, 22]. The rounding carry of the 64-bit
 * product into its upper word is bit 31 of the lower one.
 */
static PL_INLINE int32_t pl_output_short_s8(int32_t acc, const pl_output_s8 *c)
{
    const int64_t product = (int64_t)(2 * acc + c->bias2) * c->multiplier;
    int32_t v = (int32_t)(product >> 32) + (int32_t)((uint32_t)product >> 31);
    v = (v + (v >> 31) + c->merged) >> c->right;
    return pl_saturate_s8(v);
}

/* One accumulator, with any shift and clamp. */
static PL_INLINE int32_t pl_output_any_s8(int32_t acc, pl_output_s8 c, const pl_outputs_s8 *p)
{
    c.right -= c.right > 31 ? 64 : 0;
    const int32_t v = pl_is_short_s8(&c) ? pl_output_short_s8(acc, &c)
                                         : pl_requantize(acc + c.bias2 / 2, c.multiplier, -c.right,
                                                         p->zero_point);
    return pl_clamp(v, p->low, p->high);
}

/* pl_output4_s8 in full. */
static PL_NOINLINE void pl_output4_long_s8(int8_t *y, const int32_t at[4], const int32_t acc[4],
                                           const int32_t *channel, const pl_outputs_s8 *p)
{
    const pl_output_s8 c = pl_output_of_s8(channel);
    for (int32_t j = 3; j >= 0; j--) {
        y[at[j]] = (int8_t)pl_output_any_s8(acc[j], c, p);
    }
}

/* Four pixels of an output channel: y[at[j]] = clamp(requantize(acc[j] + bias)). Offsets may
 * repeat: the first of those that do counts.
 */
static PL_INLINE void pl_output4_s8(int8_t *y, const int32_t at[4], const int32_t acc[4],
                                    const int32_t *channel, const pl_outputs_s8 *p)
{
    const pl_output_s8 r = pl_output_of_s8(channel);
    if (pl_is_short_s8(&r)) {
        const int32_t v0 = pl_output_short_s8(acc[0], &r), v1 = pl_output_short_s8(acc[1], &r);
        const int32_t v2 = pl_output_short_s8(acc[2], &r), v3 = pl_output_short_s8(acc[3], &r);
        y[at[3]] = (int8_t)v3;
        y[at[2]] = (int8_t)v2;
        y[at[1]] = (int8_t)v1;
        y[at[0]] = (int8_t)v0;
    } else {
        const int32_t sums[4] = {acc[0], acc[1], acc[2], acc[3]};
        pl_output4_long_s8(y, at, sums, channel, p);
    }
}
