#pragma once
#include "common.h"

/* Conversion of stored values between types.
 *
 *   y[i] = (type of y) x[i], n elements
 *
 * Integers wrap to narrower ones; floats truncate toward zero and saturate, NaN gives 0; anything
 * but 0 becomes true. x and y are aligned for their types.
 * Aliasing: y may be x where its elements are not wider. No scratch.
 */
typedef enum {
    PL_CAST_S8,
    PL_CAST_U8,
    PL_CAST_S16,
    PL_CAST_S32,
    PL_CAST_F32,
    PL_CAST_B8
} pl_cast_type;

static inline int32_t pl_cast_from(const uint8_t *x, int32_t i, pl_cast_type type)
{
    switch (type) {
    case PL_CAST_S8:
        return ((const int8_t *)x)[i];
    case PL_CAST_S16: {
        int16_t v;
        memcpy(&v, x + 2 * (ptrdiff_t)i, sizeof v);
        return v;
    }
    case PL_CAST_S32: {
        int32_t v;
        memcpy(&v, x + 4 * (ptrdiff_t)i, sizeof v);
        return v;
    }
    default:
        return x[i];
    }
}

/* An integer within the range of `type`: truncated and saturated. */
static inline int32_t pl_cast_whole(float v, pl_cast_type type)
{
    const int32_t low = type == PL_CAST_S8    ? INT8_MIN
                        : type == PL_CAST_S16 ? INT16_MIN
                        : type == PL_CAST_S32 ? INT32_MIN
                                              : 0;
    const int32_t high = type == PL_CAST_S8    ? INT8_MAX
                         : type == PL_CAST_S16 ? INT16_MAX
                         : type == PL_CAST_S32 ? INT32_MAX
                                               : UINT8_MAX;
    if (type == PL_CAST_B8) {
        return v != 0.0f;
    }
    if (v != v) {
        return 0;
    }
    /* high as a float may be one above it, which is then not below itself. */
    return v <= (float)low ? low : v < (float)high ? (int32_t)v : high;
}

static inline void pl_cast_to(uint8_t *y, int32_t i, pl_cast_type type, int32_t v)
{
    const int16_t half = (int16_t)v;
    switch (type) {
    case PL_CAST_S16:
        memcpy(y + 2 * (ptrdiff_t)i, &half, sizeof half);
        break;
    case PL_CAST_S32:
        memcpy(y + 4 * (ptrdiff_t)i, &v, sizeof v);
        break;
    case PL_CAST_B8:
        y[i] = v != 0;
        break;
    default:
        y[i] = (uint8_t)v;
    }
}

static void pl_cast(const uint8_t *x, uint8_t *y, int32_t n, pl_cast_type from, pl_cast_type to)
{
    for (int32_t i = 0; i < n; i++) {
        float v = 0.0f;
        int32_t whole = 0;
        if (from == PL_CAST_F32) {
            memcpy(&v, x + 4 * (ptrdiff_t)i, sizeof v);
            whole = to == PL_CAST_F32 ? 0 : pl_cast_whole(v, to);
        } else {
            whole = pl_cast_from(x, i, from);
            v = (float)whole;
        }
        if (to == PL_CAST_F32) {
            memcpy(y + 4 * (ptrdiff_t)i, &v, sizeof v);
        } else {
            pl_cast_to(y, i, to, whole);
        }
    }
}
