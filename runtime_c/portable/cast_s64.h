#pragma once
#include "typed.h"

/* A float as int64_t: truncated toward zero and saturated, not-a-number as 0. */
static PL_INLINE int64_t pl_whole_s64(float v)
{
    /* 2^63 is a float; all floats below it are integers that fit. */
    return v != v                          ? 0
           : v >= 9223372036854775808.0f   ? INT64_MAX
           : v <= -9223372036854775808.0f  ? INT64_MIN
                                           : (int64_t)v;
}

/* Conversion of stored values where one type is int64: y[i] = (type of y) x[i], n elements.
 *
 * Integers wrap to narrower ones; floats truncate toward zero and saturate, NaN gives 0; anything
 * but 0 becomes true. Aliasing: y may be x where its elements are not wider. No scratch.
 */
static PL_INLINE void pl_cast_s64(const uint8_t *x, uint8_t *y, int32_t n, pl_type from, pl_type to)
{
    for (int32_t i = 0; i < n; i++) {
        const int64_t v = from == PL_F32 ? pl_whole_s64(pl_load_f32(x, i)) : pl_load(x, i, from);
        if (to == PL_F32) {
            const float real = (float)v;
            memcpy(y + 4 * (ptrdiff_t)i, &real, sizeof real);
        } else {
            pl_store(y, i, to, to == PL_B8 ? v != 0 : v);
        }
    }
}
