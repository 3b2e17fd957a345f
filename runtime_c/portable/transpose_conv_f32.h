#pragma once
#include "clamp_f32.h"
#include "dot_f32.h"

/* Transposed 2-D convolution of float32, output row `oy`, gathered per output element.
 *
 *   y[ox][oc] = clamp(bias[oc] + sum of x[iy][ix][g + ic] * weights[oc][ky][kx][ic])
 *       over ky,kx,ic with iy*stride_h + ky*dilation_h - pad_top = oy and
 *       ix*stride_w + kx*dilation_w - pad_left = ox
 *   g   first channel of oc's group: runs of group_out outputs see runs of group_c inputs
 *
 * rows     `taps` input rows [in_w][in_c], the last one (oy + pad_top) / stride_h; NULL where that is
 *          outside the input
 * y        [out_w][out_c]; must not overlap any row
 * Taps that meet input rows are ky_step apart; columns alike.
 * No scratch. Order of additions: ky, kx, ic, from 0; the bias last.
 */
typedef struct {
    int32_t in_w, in_c, out_w, out_c;
    int32_t group_c, group_out;
    int32_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left, taps;
    int32_t ky_step, kx_step; /* stride / greatest common divisor of stride and dilation */
    float low, high;
    const float *weights; /* [out_c][kernel_h][kernel_w][group_c] */
    const float *bias;    /* [out_c] */
} pl_transpose_conv_f32_params;

/* First tap that meets input row or column (full - tap * dilation) / stride, `kernel` where there
 * is none; that row may be beyond the input. */
static inline int32_t pl_transpose_conv_first(int32_t full, int32_t kernel, int32_t stride,
                                              int32_t dilation)
{
    for (int32_t tap = 0; tap < kernel && full >= tap * dilation; tap++) {
        if ((full - tap * dilation) % stride == 0) {
            return tap;
        }
    }
    return kernel;
}

/* `count` (4 or 1) output channels from those of `w` on, whose group starts with channel `from`; `full`
 * is output row and column plus padding, `first` the first taps. */
static inline void pl_transpose_conv_f32_window(const void *const *rows, int32_t from,
                                                const float *w,
                                                const pl_transpose_conv_f32_params *p,
                                                const int32_t full[2], const int32_t first[2],
                                                int32_t count, float acc[4])
{
    const int32_t pitch = p->kernel_h * p->kernel_w * p->group_c;
    const int32_t last = full[0] / p->stride_h;
    for (int32_t ky = first[0]; ky < p->kernel_h && full[0] >= ky * p->dilation_h; ky += p->ky_step) {
        const int32_t iy = (full[0] - ky * p->dilation_h) / p->stride_h;
        const float *row = rows[p->taps - 1 - (last - iy)];
        if (!row) {
            continue;
        }
        for (int32_t kx = first[1]; kx < p->kernel_w; kx += p->kx_step) {
            const int32_t ix = (full[1] - kx * p->dilation_w) / p->stride_w;
            if (full[1] < kx * p->dilation_w || ix >= p->in_w) {
                continue;
            }
            const float *pixel = row + ix * p->in_c + from;
            const float *tap = w + (ky * p->kernel_w + kx) * p->group_c;
            if (count == 4) {
                pl_dot4_f32(pixel, tap, pitch, p->group_c, acc);
            } else {
                acc[0] = pl_dot_f32(pixel, tap, p->group_c, acc[0]);
            }
        }
    }
}

static void pl_transpose_conv_f32(const void *const *rows, float *y, int32_t oy,
                                  const pl_transpose_conv_f32_params *p)
{
    const int32_t pitch = p->kernel_h * p->kernel_w * p->group_c;
    for (int32_t ox = 0; ox < p->out_w; ox++) {
        const int32_t full[2] = {oy + p->pad_top, ox + p->pad_left};
        const int32_t first[2] = {
            pl_transpose_conv_first(full[0], p->kernel_h, p->stride_h, p->dilation_h),
            pl_transpose_conv_first(full[1], p->kernel_w, p->stride_w, p->dilation_w),
        };
        for (int32_t oc = 0, count; oc < p->out_c; oc += count) {
            const int32_t group = oc / p->group_out;
            count = (group + 1) * p->group_out - oc >= 4 ? 4 : 1;
            float acc[4] = {0.0f, 0.0f, 0.0f, 0.0f};
            pl_transpose_conv_f32_window(rows, group * p->group_c, p->weights + oc * pitch, p, full,
                                         first, count, acc);
            for (int32_t k = 0; k < count; k++) {
                *y++ = pl_clamp_f32(acc[k] + p->bias[oc + k], p->low, p->high);
            }
        }
    }
}
