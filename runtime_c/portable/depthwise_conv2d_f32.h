#pragma once
#include "clamp_f32.h"
#include "depthwise_columns.h"

/* Depthwise 2-D convolution of float, one output row.
 *
 *   y[ox][c*depth + m] = clamp(bias[c*depth + m]
 *       + sum over ky,kx of row[ky][ox*stride + kx*dilation - pad][c] * weights[ky][kx][c*depth + m])
 *
 * rows       kernel_h pointers to input rows [in_w][in_c]; rows outside the input hold zeros
 * y          [out_w][in_c * depth]; must not overlap any row
 * Columns outside the input are zero and skipped. No scratch.
 * Order of additions: ky, then kx, from 0; the bias last.
 */
typedef struct {
    int32_t in_w, in_c, depth, out_w;
    int32_t kernel_h, kernel_w, stride_w, dilation_w, pad_left;
    float low, high;
    const float *weights; /* [kernel_h][kernel_w][in_c * depth] */
    const float *bias;    /* [in_c * depth] */
} pl_depthwise_conv2d_f32_params;

static void pl_depthwise_conv2d_f32(const void *const *rows, float *y,
                                    const pl_depthwise_conv2d_f32_params *p)
{
    const int32_t out_c = p->in_c * p->depth, step = p->in_c * p->dilation_w;
    for (int32_t ox = 0; ox < p->out_w; ox++) {
        const pl_columns s =
            pl_window_columns(ox * p->stride_w - p->pad_left, p->kernel_w, p->dilation_w, p->in_w, p->in_c);
        const float *first = p->weights + s.first * out_c;
        for (int32_t oc = 0, c = 0, m = p->depth; oc < out_c; oc++, first++) {
            const float *weights = first;
            float acc = 0.0f;
            for (int32_t ky = 0; ky < p->kernel_h; ky++, weights += p->kernel_w * out_c) {
                const float *x = (const float *)rows[ky] + s.offset + c;
                const float *w = weights;
                for (int32_t n = s.count; n > 0; n--, x += step, w += out_c) {
                    acc += *x * *w;
                }
            }
            *y++ = pl_clamp_f32(acc + p->bias[oc], p->low, p->high);
            if (--m == 0) {
                m = p->depth;
                c++;
            }
        }
    }
}
