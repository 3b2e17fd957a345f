#pragma once
#include "sums.h"

/* Mean of int8 over pixels, four channels at a time.
 *
 *   y[c] = saturate(requantize(offset + sum over pixels of x[pixel][c]))
 *
 * 1 / number of pixels is part of the multiplier; offset is minus their number times the zero
 * point of x.
 * x [pixels][channels]; y [channels] must not overlap x. No scratch.
 * Bounds: channels >= 4; |offset + sum| < 2^30 after the left shift of a positive `shift` (proven
 * when the code was generated).
 */
typedef struct {
    int32_t pixels, channels;
    int32_t offset, multiplier, shift, zero_y;
} pl_mean_s8__dsp_params;

static void pl_mean_s8__dsp(const int8_t *x, int8_t *y, const pl_mean_s8__dsp_params *p)
{
    const int32_t most = PL_SUM_PIXELS;
    for (int32_t at = 0; at < p->channels; at += 4) {
        /* The last four channels may overlap those before. */
        const int32_t c = at + 4 <= p->channels ? at : p->channels - 4;
        int32_t total[4] = {p->offset, p->offset, p->offset, p->offset};
        const int8_t *from = x + c;
        for (int32_t left = p->pixels; left > 0; left -= most) {
            const int32_t n = left < most ? left : most;
            pl_sum4 sum = {0, 0};
            pl_sum4_add(&sum, from, p->channels, n);
            pl_sum4_flush(sum, total);
            from += n * p->channels;
        }
        for (int32_t i = 0; i < 4; i++) {
            const int32_t mean = pl_requantize(total[i], p->multiplier, p->shift, p->zero_y);
            y[c + i] = (int8_t)pl_clamp(mean, INT8_MIN, INT8_MAX);
        }
    }
}
