#pragma once
#include "channels_s8.h"

/* 2-D convolution of int8 with int16 weights, one output row. For models whose int8 weights have a
 * zero point (made from uint8 ones): the weights are stored with it subtracted. Fully-connected is
 * the 1x1 case, depthwise the one with group_c = 1; speed does not matter here.
 *
 *   y[ox][oc] = clamp(requantize(bias[oc] + sum over ky,kx,ic of row[ky][ox*stride + kx*dilation - pad][ic]
 *                                                                * weights[oc][ky][kx][ic]))
 *
 * rows     kernel_h pointers to input rows [in_w][in_c]; rows outside the input hold x_zero
 * y        [out_w][out_c]; must not overlap any row
 * x_zero   the input's zero point, read for columns left and right of the input
 * channels.bias has -x_zero * sum(weights) merged in, so that raw activations are multiplied
 * group_c  input channels per group (= in_c without groups); group_out output channels per group
 * No scratch. Bounds: |accumulator| < 2^30 for any input (proven when the code was generated).
 */
typedef struct {
    int32_t in_w, in_c, group_c, group_out, out_w, out_c;
    int32_t kernel_h, kernel_w, stride_w, dilation_w, pad_left;
    int32_t x_zero;
    pl_channels_s8 channels;
    const int16_t *weights; /* [out_c][kernel_h][kernel_w][group_c] */
} pl_conv2d_s8w16_params;

static PL_INLINE void pl_conv2d_s8w16_loop(const void *const *rows, int8_t *y,
                                           const pl_conv2d_s8w16_params *p,
                                           pl_store_outputs *store)
{
    for (int32_t ox = 0; ox < p->out_w; ox++) {
        const int16_t *w = p->weights;
        for (int32_t oc = 0; oc < p->out_c; oc++) {
            const int32_t c0 = oc / p->group_out * p->group_c;
            int32_t acc = 0;
            for (int32_t ky = 0; ky < p->kernel_h; ky++) {
                int32_t ix = ox * p->stride_w - p->pad_left;
                for (int32_t kx = 0; kx < p->kernel_w; kx++, ix += p->dilation_w) {
                    const int inside = ix >= 0 && ix < p->in_w;
                    const int8_t *x = (const int8_t *)rows[ky] + (inside ? ix * p->in_c + c0 : 0);
                    for (int32_t i = 0; i < p->group_c; i++) {
                        acc += (inside ? x[i] : p->x_zero) * *w++;
                    }
                }
            }
            store(y++, &acc, 1, oc, &p->channels);
        }
    }
}
