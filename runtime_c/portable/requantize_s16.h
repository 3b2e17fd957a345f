#pragma once
#include "common.h"

/* (acc * multiplier + half) >> shift: TFLite's 16x8 rule, one rounding, ties up.
 * multiplier is the 31-bit multiplier rounded to 15 bits, shift = 15 - its shift, in [8, 46].
 * Bounds: |acc| < 2^47, the result fits int32.
 */
static inline int32_t pl_requantize_s16(int64_t acc, int32_t multiplier, int32_t shift)
{
    return (int32_t)((acc * multiplier + ((int64_t)1 << (shift - 1))) >> shift);
}
