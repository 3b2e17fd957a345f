#pragma once
#include "channels_s8.h"

/* y[i] = clamp(requantize(acc[i] + bias[first + i])), i < n. The first loop is pl_requantize without the
 * left shift, which hardly any model needs.
 */
static PL_NOINLINE void pl_store_s8(int8_t *y, const int32_t *acc, int32_t n, int32_t first,
                                    const pl_channels_s8 *c)
{
    const int32_t zero_point = c->zero_point, low = c->low, high = c->high;
    const int32_t *bias = c->bias + first, *multiplier = c->multiplier + first;
    const int8_t *shift = c->shift + first;
    if (!c->right_only) {
        for (int32_t i = 0; i < n; i++) {
            const int32_t v = pl_requantize(acc[i] + bias[i], multiplier[i], -shift[i], zero_point);
            y[i] = (int8_t)pl_clamp(v, low, high);
        }
        return;
    }
    for (const int32_t *end = acc + n; acc < end;) {
        const int32_t a = *acc++ + *bias++, right = *shift++;
        int32_t v = (int32_t)(((int64_t)(2 * a) * *multiplier++ + (int64_t)0x80000000) >> 32);
        v = ((v + (v >> 31) + (int32_t)((1u << right) >> 1)) >> right) + zero_point;
        v = v < low ? low : v;
        *y++ = (int8_t)(v > high ? high : v);
    }
}
