#pragma once
#include "dot_s16.h"
#include "store_s16.h"

/* 1x1 convolution, and fully-connected, of int16 over a run of pixels.
 *
 *   y[i][oc] = clamp(requantize(bias[oc] + sum over ic of x[i][ic] * weights[oc][ic])),  i < pixels
 *
 * x        [pixels][in_c]; y [pixels][out_c]; they must not overlap
 * No scratch. Bounds: |accumulator| < 2^47, scaled values fit int32 (proven when the code was generated).
 */
typedef struct {
    int32_t in_c, out_c;
    pl_channels_s16 channels;
    const int8_t *weights; /* [out_c][in_c] */
} pl_pointwise_s16_params;

static void pl_pointwise_s16(const int16_t *x, int16_t *y, int32_t pixels,
                             const pl_pointwise_s16_params *p)
{
    for (; pixels > 0; pixels--, x += p->in_c) {
        const int8_t *w = p->weights;
        for (int32_t oc = 0, count; oc < p->out_c; oc += count, w += count * p->in_c) {
            count = p->out_c - oc >= 4 ? 4 : 1;
            int64_t acc[4] = {0, 0, 0, 0};
            if (count == 4) {
                pl_dot4_s16(x, w, p->in_c, p->in_c, acc);
            } else {
                acc[0] = pl_dot_s16(x, w, p->in_c, acc[0]);
            }
            pl_store_s16(y, acc, count, oc, &p->channels);
            y += count;
        }
    }
}
