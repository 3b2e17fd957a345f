#pragma once
#include "conv2d_s8_loop.h"
#include "copy.h"
#include "sums_s32.h"

/* A 2-D convolution of int8 over some of its input channels, one output row, without bias:
 *
 *   y[ox][oc] (+)= sum over ky,kx,ic of row[ky][ox*stride + kx*dilation - pad][ic]
 *                                       * weights[oc][ky][kx][ic]
 *
 * rows     kernel_h pointers to input rows [in_w][in_c]; rows outside the input point to `pad`
 * y        int32 [out_w][out_c]; must not overlap any row
 * conv     the geometry and the weights, without groups; its `channels` are not used
 * accumulate   the products are added to what is in y, modulo 2^32
 * No scratch. Bounds: |sum of the products| < 2^30 for any input (proven when the code was
 * generated).
 */
typedef struct {
    int32_t accumulate;
    pl_conv2d_s8_params conv;
} pl_partial_sums_s8_rows_params;

static void pl_partial_sums_s8_rows(const void *const *rows, int32_t *y,
                                    const pl_partial_sums_s8_rows_params *p)
{
    const pl_conv2d_s8_params *conv = &p->conv;
    const int32_t pitch = conv->kernel_h * conv->kernel_w * conv->in_c, out_c = conv->out_c;
    for (int32_t ox = 0; ox < conv->out_w; ox++) {
        const pl_conv2d_s8_runs row = pl_conv2d_s8_row(conv, ox * conv->stride_w - conv->pad_left);
        const int8_t *w = conv->weights;
        int32_t oc = 0;
        for (; oc + 4 <= out_c; oc += 4, w += 4 * pitch, y += 4) {
            int32_t acc[4] = {0};
            pl_conv2d_s8_window4(rows, conv, &row, 0, w, acc);
            pl_add_sums(y, acc, 4, p->accumulate);
        }
        for (; oc < out_c; oc++, w += pitch, y++) {
            const int32_t acc = pl_conv2d_s8_window1(rows, conv, &row, 0, w);
            pl_add_sums(y, &acc, 1, p->accumulate);
        }
    }
}
