#pragma once
#include "clamp_f32.h"
#include "dot_f32.h"

/* 2-D convolution of float32, one output row.
 *
 *   y[ox][oc] = clamp(bias[oc] + sum over ky,kx,ic of row[ky][ox*stride + kx*dilation - pad][ic]
 *                                               * weights[oc][ky][kx][ic])
 *
 * rows     kernel_h pointers to input rows [in_w][in_c]; rows outside the input hold zeros
 * y        [out_w][out_c]; must not overlap any row
 * group_c  input channels per group (= in_c without groups); out_c divides by the number of groups
 * No scratch. Order of additions: ky, kx, ic, from 0; the bias last.
 */
typedef struct {
    int32_t in_w, in_c, group_c, out_w, out_c;
    int32_t kernel_h, kernel_w, stride_w, dilation_w, pad_left;
    float low, high;
    const float *weights; /* [out_c][kernel_h][kernel_w][group_c] */
    const float *bias;    /* [out_c] */
} pl_conv2d_f32_params;

/* One window for `count` (1 or 4) output channels; x0 is the window's left column, which may lie
 * outside the input: such columns are zero and skipped. */
static inline void pl_conv2d_f32_window(const void *const *rows, const pl_conv2d_f32_params *p,
                                        int32_t x0, int32_t c0, const float *w, int32_t pitch,
                                        int32_t count, float acc[4])
{
    const int32_t extent = (p->kernel_w - 1) * p->dilation_w + 1;
    const int inside = x0 >= 0 && x0 + extent <= p->in_w;
    /* Where the taps of a row lie side by side, they are one run. */
    const int run = inside && p->dilation_w == 1 && p->group_c == p->in_c;
    const int32_t taps = run ? 1 : p->kernel_w;
    const int32_t n = run ? p->kernel_w * p->in_c : p->group_c;
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        const float *row = (const float *)rows[ky];
        for (int32_t kx = 0; kx < taps; kx++, w += n) {
            const int32_t ix = x0 + kx * p->dilation_w;
            if (ix < 0 || ix >= p->in_w) {
                continue;
            }
            const float *x = row + ix * p->in_c + c0;
            if (count == 4) {
                pl_dot4_f32(x, w, pitch, n, acc);
            } else {
                acc[0] = pl_dot_f32(x, w, n, acc[0]);
            }
        }
    }
}

static void pl_conv2d_f32(const void *const *rows, float *y, const pl_conv2d_f32_params *p)
{
    const int32_t pitch = p->kernel_h * p->kernel_w * p->group_c;
    const int32_t group_out = p->out_c / (p->in_c / p->group_c);
    for (int32_t ox = 0; ox < p->out_w; ox++) {
        const int32_t x0 = ox * p->stride_w - p->pad_left;
        int32_t left = 0, c0 = -p->group_c; /* output channels left in this group; its first input */
        for (int32_t oc = 0, count; oc < p->out_c; oc += count) {
            if (left == 0) {
                left = group_out;
                c0 += p->group_c;
            }
            count = left >= 4 ? 4 : 1;
            left -= count;
            float acc[4];
            for (int32_t i = 0; i < count; i++) {
                acc[i] = 0.0f;
            }
            pl_conv2d_f32_window(rows, p, x0, c0, p->weights + oc * pitch, pitch, count, acc);
            for (int32_t i = 0; i < count; i++) {
                *y++ = pl_clamp_f32(acc[i] + p->bias[oc + i], p->low, p->high);
            }
        }
    }
}
