#pragma once
#include "store_s8__dsp.h"

/* As pl_finish_sums_s8, with the constants of store_s8__dsp.h: channels [out_c] of bias2, multiplier,
 * merged and shift; outputs are clamped to [low, high] beyond int8's own range.
 */
typedef struct {
    int32_t out_c, low, high;
    const int32_t *channels;
} pl_finish_sums_dsp_params;

static void pl_finish_sums_s8__dsp(const int32_t *sums, int8_t *y, int32_t pixels,
                                   const pl_finish_sums_dsp_params *p)
{
    int8_t *begin = y;
    const int32_t *end = p->channels + 4 * p->out_c;
    for (int32_t i = 0; i < pixels; i++) {
        for (const int32_t *c = p->channels; c < end; c += 4) {
            const uint32_t doubled = 2u * (uint32_t)*sums++ + (uint32_t)c[0];
            *y++ = (int8_t)pl_requantize_dsp((int32_t)doubled, c[1], c[2], c[3]);
        }
    }
    if (p->low > -128 || p->high < 127) {
        pl_clamp_s8(begin, pixels * p->out_c, p->low, p->high);
    }
}
