#pragma once
#include "../portable/clamp_f32.h"
#include "../portable/depthwise_columns.h"

/* Depthwise 2-D convolution of float32, one output row, four channels at once.
 *
 *   y[ox][c] = clamp(bias[c] + sum over ky,kx of row[ky][ox*stride + kx*dilation - pad][c]
 *                                          * weights[ky][kx][c])
 *
 * rows      kernel_h pointers to input rows [in_w][channels]; rows outside the input hold zeros
 * channels  a multiple of 4
 * y         [out_w][channels]; must not overlap any row
 * Columns outside the input are zero and skipped. No scratch.
 * Order of additions: ky, then kx, from 0; the bias last.
 */
typedef struct {
    int32_t in_w, channels, out_w;
    int32_t kernel_h, kernel_w, stride_w, dilation_w, pad_left;
    float low, high;
    const float *weights; /* [kernel_h][kernel_w][channels] */
    const float *bias;    /* [channels] */
} pl_depthwise_conv2d_f32__fpu_params;

static void pl_depthwise_conv2d_f32__fpu(const void *const *rows, float *y,
                                         const pl_depthwise_conv2d_f32__fpu_params *p)
{
    const int32_t step = p->channels * p->dilation_w;
    for (int32_t ox = 0; ox < p->out_w; ox++) {
        const pl_columns s = pl_window_columns(ox * p->stride_w - p->pad_left, p->kernel_w,
                                               p->dilation_w, p->in_w, p->channels);
        for (int32_t c = 0; c < p->channels; c += 4, y += 4) {
            const float *from = p->weights + s.first * p->channels + c;
            float a = 0.0f, b = 0.0f, d = 0.0f, e = 0.0f;
            for (int32_t ky = 0; ky < p->kernel_h; ky++, from += p->kernel_w * p->channels) {
                const float *x = (const float *)rows[ky] + s.offset + c, *w = from;
                for (int32_t n = s.count; n > 0; n--, x += step, w += p->channels) {
                    a += x[0] * w[0];
                    b += x[1] * w[1];
                    d += x[2] * w[2];
                    e += x[3] * w[3];
                }
            }
            y[0] = pl_clamp_f32(a + p->bias[c], p->low, p->high);
            y[1] = pl_clamp_f32(b + p->bias[c + 1], p->low, p->high);
            y[2] = pl_clamp_f32(d + p->bias[c + 2], p->low, p->high);
            y[3] = pl_clamp_f32(e + p->bias[c + 3], p->low, p->high);
        }
    }
}
