#pragma once
#include "depthwise_columns.h"

/* Depthwise 2-D convolution of int8, one output row.
 *
 *   y[ox][c*depth + m] = clamp(requantize(bias[c*depth + m]
 *       + sum over ky,kx of row[ky][ox*stride + kx*dilation - pad][c] * weights[ky][kx][c*depth + m]))
 *
 * rows       kernel_h pointers to input rows [in_w][in_c]; rows outside the input hold x_zero
 * y          [out_w][in_c * depth]; must not overlap any row
 * x_zero     the input's zero point, read for columns left and right of the input
 * bias       has -x_zero * sum(weights) merged in, so that raw activations are multiplied
 * No scratch. Bounds: |accumulator| < 2^30 for any input (proven when the code was generated).
 */
typedef struct {
    int32_t in_w, in_c, depth, out_w;
    int32_t kernel_h, kernel_w, stride_w, dilation_w, pad_left;
    int32_t x_zero, zero_point, low, high;
    const int8_t *weights;     /* [kernel_h][kernel_w][in_c * depth] */
    const int32_t *bias;       /* [in_c * depth] */
    const int32_t *multiplier; /* [in_c * depth] */
    const int8_t *shift;       /* [in_c * depth] */
} pl_depthwise_conv2d_s8_params;

/* acc[j] += x_zero * weights of the taps outside the input, for `n` output channels from oc on. */
static void pl_depthwise_outside_s8(const pl_depthwise_conv2d_s8_params *p, pl_columns s, int32_t oc,
                                    int32_t n, int32_t acc[4])
{
    const int32_t out_c = p->in_c * p->depth;
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        for (int32_t i = 0; i < p->kernel_w - s.count; i++) {
            const int32_t kx = i < s.first ? i : i + s.count;
            const int8_t *w = p->weights + (ky * p->kernel_w + kx) * out_c + oc;
            for (int32_t j = 0; j < n; j++) {
                acc[j] += p->x_zero * w[j];
            }
        }
    }
}

/* acc[j] += taps inside the input, for four output channels from oc on. They read four input channels
 * side by side (apart = 1) or all the same one (apart = 0); c is the first. */
static inline void pl_depthwise_inside4_s8(const void *const *rows, const pl_depthwise_conv2d_s8_params *p,
                                           pl_columns s, int32_t c, int32_t oc, const int32_t apart,
                                           int32_t acc[4])
{
    const int32_t out_c = p->in_c * p->depth, step = p->in_c * p->dilation_w;
    const int8_t *weights = p->weights + s.first * out_c + oc;
    int32_t a0 = acc[0], a1 = acc[1], a2 = acc[2], a3 = acc[3];
    for (int32_t ky = 0; ky < p->kernel_h; ky++, weights += p->kernel_w * out_c) {
        const int8_t *x = (const int8_t *)rows[ky] + s.offset + c, *w = weights;
        for (int32_t n = s.count; n > 0; n--, x += step, w += out_c) {
            a0 += x[0] * w[0];
            a1 += x[apart] * w[1];
            a2 += x[2 * apart] * w[2];
            a3 += x[3 * apart] * w[3];
        }
    }
    acc[0] = a0;
    acc[1] = a1;
    acc[2] = a2;
    acc[3] = a3;
}

/* The same for one output channel. */
static inline int32_t pl_depthwise_inside_s8(const void *const *rows, const pl_depthwise_conv2d_s8_params *p,
                                             pl_columns s, int32_t c, int32_t oc, int32_t acc)
{
    const int32_t out_c = p->in_c * p->depth, step = p->in_c * p->dilation_w;
    const int8_t *weights = p->weights + s.first * out_c + oc;
    for (int32_t ky = 0; ky < p->kernel_h; ky++, weights += p->kernel_w * out_c) {
        const int8_t *x = (const int8_t *)rows[ky] + s.offset + c, *w = weights;
        for (int32_t n = s.count; n > 0; n--, x += step, w += out_c) {
            acc += *x * *w;
        }
    }
    return acc;
}

static void pl_depthwise_conv2d_s8(const void *const *rows, int8_t *y, const pl_depthwise_conv2d_s8_params *p)
{
    const int32_t out_c = p->in_c * p->depth;
    for (int32_t ox = 0; ox < p->out_w; ox++) {
        const pl_columns s =
            pl_window_columns(ox * p->stride_w - p->pad_left, p->kernel_w, p->dilation_w, p->in_w, p->in_c);
        int32_t c = 0, left = p->depth; /* input channel; output channels left of it */
        for (int32_t oc = 0, n; oc < out_c; oc += n) {
            const int32_t run = p->depth == 1 ? out_c - oc : left;
            n = run >= 4 ? 4 : 1;
            int32_t acc[4];
            for (int32_t i = 0; i < n; i++) {
                acc[i] = p->bias[oc + i];
            }
            if (n == 1) {
                acc[0] = pl_depthwise_inside_s8(rows, p, s, c, oc, acc[0]);
            } else if (p->depth == 1) {
                pl_depthwise_inside4_s8(rows, p, s, c, oc, 1, acc);
            } else {
                pl_depthwise_inside4_s8(rows, p, s, c, oc, 0, acc);
            }
            if (s.count < p->kernel_w) {
                pl_depthwise_outside_s8(p, s, oc, n, acc);
            }
            for (int32_t i = 0; i < n; i++) {
                const int32_t v = pl_requantize(acc[i], p->multiplier[oc + i], p->shift[oc + i], p->zero_point);
                *y++ = (int8_t)pl_clamp(v, p->low, p->high);
            }
            if (p->depth == 1) {
                c += n;
            } else if ((left -= n) == 0) {
                left = p->depth;
                c++;
            }
        }
    }
}
