#pragma once
#include "dot_s8.h"
#include "store_s8.h"

/* 1x1 convolution, and fully-connected, of int8 over a run of pixels.
 *
 *   y[i][oc] = clamp(requantize(bias[oc] + sum over ic of x[i][ic] * weights[oc][ic])),  i < pixels
 *
 * x        [pixels][in_c]; y [pixels][out_c]; they must not overlap
 * channels.bias has -zero_point * sum(weights) merged in
 * No scratch. Bounds: |accumulator| < 2^30 for any input (proven when the code was generated).
 */
typedef struct {
    int32_t in_c, out_c;
    pl_channels_s8 channels;
    const int8_t *weights; /* [out_c][in_c] */
} pl_pointwise_s8_params;

static void pl_pointwise_s8(const int8_t *x, int8_t *y, int32_t pixels, const pl_pointwise_s8_params *p)
{
    for (; pixels > 0; pixels--, x += p->in_c) {
        const int8_t *w = p->weights;
        for (int32_t oc = 0, count; oc < p->out_c; oc += count, w += count * p->in_c) {
            count = p->out_c - oc >= 4 ? 4 : 1;
            int32_t acc[4] = {0, 0, 0, 0};
            if (count == 4) {
                pl_dot4_s8(x, w, p->in_c, p->in_c, acc);
            } else {
                acc[0] = pl_dot_s8(x, w, p->in_c, acc[0]);
            }
            pl_store_s8(y, acc, count, oc, &p->channels);
            y += count;
        }
    }
}
