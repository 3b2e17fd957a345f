#pragma once
#include "depthwise_columns.h"
#include "store_s16.h"

/* Depthwise 2-D convolution of int16_t, one output row.
 *
 *   y[ox][c*depth + m] = clamp(requantize(bias[c*depth + m]
 *       + sum over ky,kx of row[ky][ox*stride + kx*dilation - pad][c] * weights[ky][kx][c*depth + m]))
 *
 * rows       kernel_h pointers to input rows [in_w][in_c]; rows outside the input hold zeros
 * y          [out_w][in_c * depth]; must not overlap any row
 * Columns outside the input are zero and skipped. No scratch.
 * Bounds: |accumulator| < 2^47, scaled values fit int32 (proven when the code was generated).
 */
typedef struct {
    int32_t in_w, in_c, depth, out_w;
    int32_t kernel_h, kernel_w, stride_w, dilation_w, pad_left;
    pl_channels_s16 channels;
    const int8_t *weights; /* [kernel_h][kernel_w][in_c * depth] */
} pl_depthwise_conv2d_s16_params;

static void pl_depthwise_conv2d_s16(const void *const *rows, int16_t *y,
                                    const pl_depthwise_conv2d_s16_params *p)
{
    const int32_t out_c = p->in_c * p->depth, step = p->in_c * p->dilation_w;
    for (int32_t ox = 0; ox < p->out_w; ox++) {
        const pl_columns s =
            pl_window_columns(ox * p->stride_w - p->pad_left, p->kernel_w, p->dilation_w, p->in_w, p->in_c);
        const int8_t *first = p->weights + s.first * out_c;
        for (int32_t oc = 0, c = 0, m = p->depth; oc < out_c; oc++, first++) {
            const int8_t *weights = first;
            int64_t acc = 0;
            for (int32_t ky = 0; ky < p->kernel_h; ky++, weights += p->kernel_w * out_c) {
                const int16_t *x = (const int16_t *)rows[ky] + s.offset + c;
                const int8_t *w = weights;
                for (int32_t n = s.count; n > 0; n--, x += step, w += out_c) {
                    acc += (int32_t)*x * *w;
                }
            }
            pl_store_s16(y++, &acc, 1, oc, &p->channels);
            if (--m == 0) {
                m = p->depth;
                c++;
            }
        }
    }
}
