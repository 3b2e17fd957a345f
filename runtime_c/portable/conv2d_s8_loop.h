#pragma once
#include "channels_s8.h"
#include "dot_s8.h"

/* 2-D convolution of int8, one output row.
 *
 *   y[ox][oc] = clamp(requantize(bias[oc] + sum over ky,kx,ic of row[ky][ox*stride + kx*dilation - pad][ic]
 *                                                                * weights[oc][ky][kx][ic]))
 *
 * rows     kernel_h pointers to input rows [in_w][in_c]; rows outside the input point to `pad`
 * y        [out_w][out_c]; must not overlap any row
 * pad      at least max(in_w, kernel_w) * in_c elements, all equal to the input's zero point
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

/* A window row as `count` runs of adjacent elements: run i has n[i] of them, from element offset[i] of the
 * input row on, or padding where that is negative. Where taps do not lie side by side (dilation, groups)
 * count is 0 and every tap is a run of its own.
 */
typedef struct {
    int32_t count, x0;
    int32_t n[3], offset[3];
} pl_conv2d_s8_runs;

static inline pl_conv2d_s8_runs pl_conv2d_s8_row(const pl_conv2d_s8_params *p, int32_t x0)
{
    pl_conv2d_s8_runs r = {0, x0, {0, 0, 0}, {0, 0, 0}};
    if (p->dilation_w != 1 || p->group_c != p->in_c) {
        return r;
    }
    const int32_t begin = pl_clamp(-x0, 0, p->kernel_w), end = pl_clamp(p->in_w - x0, begin, p->kernel_w);
    const int32_t taps[3] = {begin, end - begin, p->kernel_w - end};
    for (int32_t i = 0; i < 3; i++) {
        if (taps[i] > 0) {
            r.n[r.count] = taps[i] * p->in_c;
            r.offset[r.count++] = i == 1 ? (x0 + begin) * p->in_c : -1;
        }
    }
    return r;
}

/* Where run i of a row begins, and its length. */
static inline const int8_t *pl_conv2d_s8_run(const int8_t *row, const pl_conv2d_s8_params *p,
                                             const pl_conv2d_s8_runs *r, int32_t c0, int32_t i,
                                             int32_t *n)
{
    int32_t offset;
    if (r->count > 0) {
        *n = r->n[i];
        offset = r->offset[i];
    } else {
        const int32_t ix = r->x0 + i * p->dilation_w;
        *n = p->group_c;
        offset = ix < 0 || ix >= p->in_w ? -1 : ix * p->in_c + c0;
    }
    return offset < 0 ? p->pad : row + offset;
}

/* acc[j] += one window, for the four output channels whose weights start at w; c0 is their group's first
 * input channel. */
static PL_NOINLINE void pl_conv2d_s8_window4(const void *const *rows, const pl_conv2d_s8_params *p,
                                             const pl_conv2d_s8_runs *r, int32_t c0,
                                             const int8_t *w, int32_t acc[4])
{
    const int32_t pitch = p->kernel_h * p->kernel_w * p->group_c;
    const int32_t runs = r->count > 0 ? r->count : p->kernel_w;
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        for (int32_t i = 0, n; i < runs; i++, w += n) {
            const int8_t *x = pl_conv2d_s8_run((const int8_t *)rows[ky], p, r, c0, i, &n);
            pl_dot4_s8(x, w, pitch, n, acc);
        }
    }
}

/* As above for one output channel. */
static PL_NOINLINE int32_t pl_conv2d_s8_window1(const void *const *rows,
                                                const pl_conv2d_s8_params *p,
                                                const pl_conv2d_s8_runs *r, int32_t c0,
                                                const int8_t *w)
{
    const int32_t runs = r->count > 0 ? r->count : p->kernel_w;
    int32_t acc = 0;
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        for (int32_t i = 0, n; i < runs; i++, w += n) {
            const int8_t *x = pl_conv2d_s8_run((const int8_t *)rows[ky], p, r, c0, i, &n);
            acc = pl_dot_s8(x, w, n, acc);
        }
    }
    return acc;
}

static PL_INLINE void pl_conv2d_s8_loop(const void *const *rows, int8_t *y,
                                        const pl_conv2d_s8_params *p,
                                        pl_store_outputs *store)
{
    const int32_t pitch = p->kernel_h * p->kernel_w * p->group_c;
    const int32_t group_out = p->out_c / (p->in_c / p->group_c);
    for (int32_t ox = 0; ox < p->out_w; ox++) {
        const pl_conv2d_s8_runs row = pl_conv2d_s8_row(p, ox * p->stride_w - p->pad_left);
        const int8_t *w = p->weights;
        for (int32_t c0 = 0, left = p->out_c; left > 0; c0 += p->group_c, left -= group_out) {
            for (int32_t g = 0, n; g < group_out; g += n, y += n) {
                int32_t acc[PL_STORE] = {0};
                n = group_out - g < PL_STORE ? group_out - g : PL_STORE;
                int32_t i = 0;
                for (; i + 4 <= n; i += 4, w += 4 * pitch) {
                    pl_conv2d_s8_window4(rows, p, &row, c0, w, acc + i);
                }
                for (; i < n; i++, w += pitch) {
                    acc[i] = pl_conv2d_s8_window1(rows, p, &row, c0, w);
                }
                store(y, acc, n, p->out_c - left + g, &p->channels);
            }
        }
    }
}
