#pragma once
#include "channels_s8.h"
#include "dot_s8.h"

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

static PL_INLINE void pl_pointwise_s8_loop(const int8_t *x, int8_t *y, int32_t pixels,
                                           const pl_pointwise_s8_params *p,
                                           pl_store_outputs *store)
{
    const int32_t in_c = p->in_c, out_c = p->out_c;
    for (; pixels > 0; pixels--, x += in_c) {
        const int8_t *w = p->weights;
        for (int32_t oc = 0, n; oc < out_c; oc += n, y += n) {
            int32_t acc[PL_STORE] = {0};
            n = out_c - oc < PL_STORE ? out_c - oc : PL_STORE;
            int32_t i = 0;
            for (; i + 4 <= n; i += 4, w += 4 * in_c) {
                pl_dot4_s8(x, w, in_c, in_c, acc + i);
            }
            for (; i < n; i++, w += in_c) {
                acc[i] = pl_dot_s8(x, w, in_c, 0);
            }
            store(y, acc, n, oc, &p->channels);
        }
    }
}
