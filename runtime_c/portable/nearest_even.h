#pragma once
#include "common.h"
#include <float.h>

/* Floats are computed as floats: a wider type would round elsewhere. */
typedef char pl_assert_float_evaluation[FLT_EVAL_METHOD == 0 || FLT_EVAL_METHOD == 16 ? 1 : -1];

/* x to the nearest integer, ties to even. Bounds: |x| <= 2^22.
 *
 * x + 1.5 * 2^23 lies in [2^23, 2^24], where floats are the integers: the sum is rounded to one, as
 * every float sum is, and its bits count up from those of 1.5 * 2^23.
 */
static inline int32_t pl_nearest_even(float x)
{
    const float sum = x + 12582912.0f;
    int32_t bits;
    memcpy(&bits, &sum, sizeof bits);
    return bits - 0x4B400000;
}

/* x clamped to [low, high], whole numbers of at most 2^22, then to the nearest integer; NaN gives low. */
static inline int32_t pl_clamped_nearest_even(float x, float low, float high)
{
    const float v = x > low ? x : low;
    return pl_nearest_even(v > high ? high : v);
}
