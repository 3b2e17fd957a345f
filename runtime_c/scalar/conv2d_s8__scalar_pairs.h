#pragma once
#include "windows.h"

/* 2-D convolution of int8 without groups, n output rows, two pixels per multiplication, four
 * pixels at a time.
 *
 *   y[oy][ox][oc] = clamp(requantize(bias[oc] + sum over ky,kx,ic of
 *       row[oy*stride_h + ky][ox*stride_w + kx*dilation_w - pad_left][ic] *
 *       weights[oc][ky][kx][ic]))
 *
 * rows      (n - 1) * stride_h + kernel_h pointers to input rows [in_w][in_c] or `pad`
 * y         [n][out_w][out_c]; must not overlap any row
 * scratch   8 * k bytes, aligned to 4, for pairs of gathered windows, k = kernel_h * kernel_w *
 *           in_c
 * Bounds: |accumulator| < 2^30 for any input (proven when the code was generated).
 */
static void pl_conv2d_s8__scalar_pairs(const void *const *rows, int8_t *y, int32_t n,
                                       uint32_t *scratch,
                                       const pl_conv2d_s8__scalar_pairs_params *p)
{
    const pl_windows *w = &p->windows;
    pl_window at = {0, -w->pad_left, w->out_w};
    for (int32_t left = n * w->out_w; left > 0; left -= 4, y += 4 * p->pairs.out_c) {
        const int32_t pixels = left < 4 ? left : 4;
        at = pl_gather_pixels(scratch, pixels > 2 ? 2 : 1, rows, at, pixels, w);
        pl_pairs_channels_s8(scratch, y, pixels, &p->pairs);
    }
}
