#pragma once
#include "dot_s8.h"
#include "store_s8.h"

/* 2-D convolution of int8, one output row.
 *
 *   y[ox][oc] = clamp(requantize(bias[oc] + sum over ky,kx,ic of row[ky][ox*stride + kx*dilation - pad][ic]
 *                                                                * weights[oc][ky][kx][ic]))
 *
 * rows     kernel_h pointers to input rows [in_w][in_c]; rows outside the input point to `pad`
 * y        [out_w][out_c]; must not overlap any row
 * pad      at least in_w * in_c elements, all equal to the input's zero point
 * channels.bias has -zero_point * sum(weights) merged in, so that raw activations are multiplied
 * group_c  input channels per group (= in_c without groups); out_c divides by the number of groups
 * No scratch. Bounds: |accumulator| < 2^30 for any input (proven when the code was generated).
 */
typedef struct {
    int32_t in_w, in_c, group_c, out_w, out_c;
    int32_t kernel_h, kernel_w, stride_w, dilation_w, pad_left;
    const int8_t *pad;
    pl_channels_s8 channels;
    const int8_t *weights; /* [out_c][kernel_h][kernel_w][group_c] */
} pl_conv2d_s8_params;

/* The tap of column ix of a row; taps outside the input read the pad. */
static inline const int8_t *pl_conv2d_s8_tap(const int8_t *row, const pl_conv2d_s8_params *p, int32_t ix)
{
    return ix < 0 || ix >= p->in_w ? p->pad : row + ix * p->in_c;
}

/* One window for the four output channels whose weights start at w; x0 is the window's left column, c0
 * the group's first input channel. Where the taps of a row lie side by side, they are one run of n.
 */
static PL_NOINLINE void pl_conv2d_s8_window4(const void *const *rows, const pl_conv2d_s8_params *p, int32_t x0,
                                             int32_t c0, const int8_t *w, int32_t taps, int32_t acc[4])
{
    const int32_t pitch = p->kernel_h * p->kernel_w * p->group_c;
    const int32_t n = taps == 1 ? p->kernel_w * p->group_c : p->group_c;
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        for (int32_t kx = 0; kx < taps; kx++, w += n) {
            const int8_t *x = pl_conv2d_s8_tap(rows[ky], p, x0 + kx * p->dilation_w) + c0;
            pl_dot4_s8(x, w, pitch, n, acc);
        }
    }
}

/* As above for one output channel. */
static PL_NOINLINE int32_t pl_conv2d_s8_window1(const void *const *rows, const pl_conv2d_s8_params *p, int32_t x0,
                                                int32_t c0, const int8_t *w, int32_t taps, int32_t acc)
{
    const int32_t n = taps == 1 ? p->kernel_w * p->group_c : p->group_c;
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        for (int32_t kx = 0; kx < taps; kx++, w += n) {
            const int8_t *x = pl_conv2d_s8_tap(rows[ky], p, x0 + kx * p->dilation_w) + c0;
            acc = pl_dot_s8(x, w, n, acc);
        }
    }
    return acc;
}

static void pl_conv2d_s8(const void *const *rows, int8_t *y, const pl_conv2d_s8_params *p)
{
    const int32_t pitch = p->kernel_h * p->kernel_w * p->group_c;
    const int32_t group_out = p->out_c / (p->in_c / p->group_c);
    for (int32_t ox = 0; ox < p->out_w; ox++) {
        const int32_t x0 = ox * p->stride_w - p->pad_left;
        const int run = x0 >= 0 && x0 + p->kernel_w <= p->in_w && p->dilation_w == 1 && p->group_c == p->in_c;
        const int32_t taps = run ? 1 : p->kernel_w;
        const int8_t *w = p->weights;
        for (int32_t c0 = 0, left = p->out_c; left > 0; c0 += p->group_c, left -= group_out) {
            for (int32_t g = 0, n; g < group_out; g += n, y += n) {
                int32_t acc[PL_STORE] = {0};
                n = group_out - g < PL_STORE ? group_out - g : PL_STORE;
                int32_t i = 0;
                for (; i + 4 <= n; i += 4, w += 4 * pitch) {
                    pl_conv2d_s8_window4(rows, p, x0, c0, w, taps, acc + i);
                }
                for (; i < n; i++, w += pitch) {
                    acc[i] = pl_conv2d_s8_window1(rows, p, x0, c0, w, taps, 0);
                }
                pl_store_s8(y, acc, n, p->out_c - left + g, &p->channels);
            }
        }
    }
}
