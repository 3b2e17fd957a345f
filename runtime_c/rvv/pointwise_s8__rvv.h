#pragma once
#include "channels_s8_rvv.h"

/* 1x1 convolution, and fully-connected, of int8 over a run of pixels, with vectors of output
 * channels.
 *
 *   y[i][oc] = clamp(requantize(bias[oc] + sum over ic of x[i][ic] * weights[ic][oc])),  i < pixels
 *
 * x [pixels][in_c]; y [pixels][out_c]; they must not overlap. No scratch.
 * Contract as pl_pointwise_s8.
 */
static void pl_pointwise_s8__rvv(const int8_t *x, int8_t *y, int32_t pixels,
                                 const pl_channels_rvv *p)
{
    for (int32_t n; pixels > 0; pixels -= n, x += n * p->k, y += n * p->out_c) {
        n = pl_pixels_rvv(pixels, p);
        pl_channels_s8__rvv(x, y, n, p);
    }
}
