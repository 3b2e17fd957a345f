#pragma once
#include "finish_sums.h"

/* See there for formula, aliasing and bounds. */
static void pl_finish_sums_s8(const int32_t *sums, int8_t *y, int32_t pixels,
                              const pl_finish_sums_s8_params *p)
{
    const pl_channels_s8 *c = &p->channels;
    for (; pixels > 0; pixels--) {
        for (int32_t oc = 0; oc < p->out_c; oc++) {
            const int32_t right = c->shift[oc] > 0 ? c->shift[oc] : 0, left = right - c->shift[oc];
            const uint32_t acc = (uint32_t)pl_with_bias(*sums++, c->bias[oc]);
            const int64_t product = (int64_t)(int32_t)(acc << (left + 1)) * c->multiplier[oc];
            const int32_t high = (int32_t)((product + (int64_t)0x80000000) >> 32);
            const int32_t sign = right > 0 ? high >> 31 : 0;
            const int32_t half = (int32_t)((1u << right) >> 1);
            const int32_t v = ((high + sign + half) >> right) + c->zero_point;
            *y++ = (int8_t)pl_clamp(v, c->low, c->high);
        }
    }
}
