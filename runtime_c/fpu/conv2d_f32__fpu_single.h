#pragma once
#include "pixel_f32.h"

/* 2-D convolution of float32, one output row, pixel by pixel from where the windows are.
 *
 *   y[ox][oc] = clamp(bias[oc] + sum over ky,kx,ic of row[ky][ox*stride + kx*dilation - pad][ic]
 *                                               * weights[oc / 4][ky][kx][ic][oc % 4])
 *
 * rows     kernel_h pointers to input rows [in_w][in_c]; rows outside the input hold zeros
 * y        [out_w][out_c]; must not overlap any row
 * Columns outside the input are zero and skipped. No scratch.
 * Order of additions: ky, kx, ic, from 0; the bias last.
 */
typedef struct {
    int32_t in_w, in_c, out_w;
    int32_t kernel_h, kernel_w, stride_w, dilation_w, pad_left;
    const float *weights; /* [ceil(out_c / 4)][kernel_h][kernel_w][in_c][4], zeros at the end */
    pl_ends_f32 ends;
} pl_conv2d_f32__fpu_single_params;

/* Four output channels of the window whose left column is x0. */
static inline void pl_window_sums4_f32(const void *const *rows, int32_t x0, const float *w,
                                       float sums[4], const pl_conv2d_f32__fpu_single_params *p)
{
    const int32_t n = p->in_c;
    const int inside = x0 >= 0 && x0 + p->kernel_w <= p->in_w && p->dilation_w == 1;
    const int32_t taps = inside ? 1 : p->kernel_w, run = inside ? p->kernel_w * n : n;
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        const float *row = (const float *)rows[ky];
        for (int32_t kx = 0, ix = x0; kx < taps; kx++, ix += p->dilation_w, w += 4 * run) {
            if (ix >= 0 && ix < p->in_w) {
                pl_sums4_f32(row + ix * n, w, run, sums);
            }
        }
    }
}

static void pl_conv2d_f32__fpu_single(const void *const *rows, float *y,
                                      const pl_conv2d_f32__fpu_single_params *p)
{
    const int32_t out_c = p->ends.out_c, size = 4 * p->kernel_h * p->kernel_w * p->in_c;
    for (int32_t ox = 0; ox < p->out_w; ox++, y += out_c) {
        const float *w = p->weights;
        for (int32_t oc = 0; oc < out_c; oc += 4, w += size) {
            float sums[4] = {0.0f, 0.0f, 0.0f, 0.0f};
            pl_window_sums4_f32(rows, ox * p->stride_w - p->pad_left, w, sums, p);
            pl_store4_f32(sums, y, oc, &p->ends);
        }
    }
}
