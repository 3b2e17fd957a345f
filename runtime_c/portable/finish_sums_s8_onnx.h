#pragma once
#include "finish_sums.h"
#include "nearest_even.h"

/* As the kernel without the suffix, under an ONNX rounding. */
static void pl_finish_sums_s8_onnx(const int32_t *sums, int8_t *y, int32_t pixels,
                                   const pl_finish_sums_s8_params *p)
{
    const pl_channels_s8 *c = &p->channels;
    const int32_t zero_point = c->zero_point;
    const float low = (float)(c->low - zero_point), high = (float)(c->high - zero_point);
    for (; pixels > 0; pixels--) {
        for (int32_t oc = 0; oc < p->out_c; oc++) {
            const float v = (float)pl_with_bias(*sums++, c->bias[oc]) * pl_factor_s8(c, oc);
            *y++ = (int8_t)(pl_clamped_nearest_even(v, low, high) + zero_point);
        }
    }
}
