#pragma once
#include "sum_mve.h"

/* Mean of int8 [n][channels] over its first dimension, 8 channels at a time.
 *
 *   y[c] = saturate(requantize(offset + sum over i of x[i][c]))
 *
 * Scales as pl_mean_s8; y must not overlap x. No scratch. Bounds: as pl_mean_s8.
 */
typedef struct {
    int32_t n, channels, offset, multiplier, shift, zero_y;
} pl_mean_s8__mve_params;

static void pl_mean_s8__mve(const int8_t *x, int8_t *y, const pl_mean_s8__mve_params *p)
{
    const int32_t channels = p->channels;
    for (int32_t c = 0; c < channels; c += 8) {
        const int32_t lanes = pl_mve_next(channels - c, 8);
        int32_t sum[8] = {0};
        for (int32_t i = 0; i < p->n; i += 255) {
            const int32_t count = pl_mve_next(p->n - i, 255);
            pl_mve_sum(sum, x + (ptrdiff_t)i * channels + c, count, channels, lanes);
        }
        for (int32_t i = 0; i < lanes; i++) {
            const int32_t mean = pl_requantize(p->offset + sum[i], p->multiplier, p->shift, p->zero_y);
            y[c + i] = (int8_t)pl_clamp(mean, INT8_MIN, INT8_MAX);
        }
    }
}
