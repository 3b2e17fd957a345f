#pragma once
#include "outputs_s8.h"

/* One pixel's channels from `channel` on: y[i] = clamp(requantize(acc[i] + bias[i])), i < n. */
static PL_NOINLINE void pl_output_run_s8(int8_t *y, const int32_t *acc, int32_t n,
                                         const int32_t *channel, const pl_outputs_s8 *p)
{
    for (const int32_t *end = acc + n; acc != end; channel += 4) {
        const pl_output_s8 r = pl_output_of_s8(channel);
        const int32_t a = *acc++;
        *y++ = (int8_t)(pl_is_short_s8(&r) ? pl_output_short_s8(a, &r) : pl_output_any_s8(a, r, p));
    }
}
