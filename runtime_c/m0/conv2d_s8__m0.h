#pragma once
#include "pair_s8_m0.h"

/* 2-D convolution of int8, up to n output rows, two output pixels at a time.
 *
 *   y[oy][ox][oc] = clamp(requantize(bias[oc] + sum over ky,kx,ic of
 *       rows[oy*stride_h + ky][ox*stride_w + kx*dilation_w - pad_left][ic] * weights[oc][ky][kx][ic]))
 *
 * rows     (n - 1) * stride_h + kernel_h pointers to input rows [in_w][in_c]; rows outside the input point
 *          to `pad`
 * y        [n][out_w][out_c]; must not overlap any row
 * pad      at least max(in_w, kernel_w) * in_c elements, all equal to the input's zero point
 * segment  rows of the window multiplied at a time
 * weights  per PL_M0_BLOCK output channels, per segment, per two channels the words of pl_pair_dot_m0;
 *          every segment and an odd number of channels are filled up with zeros
 * bias     has -zero_point * sum(weights) merged in
 * scratch  segment * kernel_w * in_c words, rounded up to a multiple of 4
 * Bounds: |accumulator| < 2^30 for any input; those of pl_pair_dot_m0 (proven when the code was generated).
 */
typedef struct {
    int32_t in_w, in_c, out_w, out_c;
    int32_t kernel_h, kernel_w, stride_h, stride_w, dilation_w, pad_left, segment;
    const int8_t *pad;
    pl_channels_m0 channels;
    const int32_t *weights;
} pl_conv2d_s8__m0_params;

/* One output pixel's window: its first row and column among `rows`. */
typedef struct {
    const void *const *rows;
    int32_t row, ox, column;
} pl_window_m0;

/* To the window of the next output pixel, in the next output row after the last of a row. */
static inline void pl_window_next_m0(pl_window_m0 *v, const pl_conv2d_s8__m0_params *p)
{
    v->column += p->stride_w;
    if (++v->ox == p->out_w) {
        v->ox = 0;
        v->column = -p->pad_left;
        v->row += p->stride_h;
    }
}

static inline int32_t pl_window_inside_m0(const pl_window_m0 *v, const pl_conv2d_s8__m0_params *p)
{
    return v->column >= 0 && v->column + p->kernel_w <= p->in_w && p->dilation_w == 1;
}

static inline const int8_t *pl_window_tap_m0(const int8_t *row, int32_t column,
                                             const pl_conv2d_s8__m0_params *p)
{
    return column < 0 || column >= p->in_w ? p->pad : row + column * p->in_c;
}

/* The words of both windows' row ky, tap by tap. */
static PL_NOINLINE void pl_window_taps_m0(uint32_t *words, const pl_window_m0 *a,
                                          const pl_window_m0 *b, int32_t ky,
                                          const pl_conv2d_s8__m0_params *p)
{
    const int8_t *row_a = (const int8_t *)a->rows[a->row + ky];
    const int8_t *row_b = (const int8_t *)b->rows[b->row + ky];
    int32_t ia = a->column, ib = b->column;
    for (int32_t kx = p->kernel_w; kx > 0; kx--, words += p->in_c) {
        pl_pair_run_m0(words, pl_window_tap_m0(row_a, ia, p), pl_window_tap_m0(row_b, ib, p), p->in_c);
        ia += p->dilation_w;
        ib += p->dilation_w;
    }
}

/* The words of both windows' segment from row ky on; where they end. */
static PL_NOINLINE const uint32_t *pl_window_pair_m0(uint32_t *words, const pl_window_m0 *a,
                                                     const pl_window_m0 *b, int32_t ky,
                                                     const pl_conv2d_s8__m0_params *p)
{
    const int32_t in_c = p->in_c, n = p->kernel_w * in_c;
    const int32_t whole = pl_window_inside_m0(a, p) && pl_window_inside_m0(b, p);
    const int32_t end = ky + p->segment < p->kernel_h ? ky + p->segment : p->kernel_h;
    const int32_t from_a = a->column * in_c, from_b = b->column * in_c;
    const void *const *rows_a = a->rows + a->row, *const *rows_b = b->rows + b->row;
    uint32_t *to = words;
    for (; ky < end; ky++, to += n) {
        if (whole) {
            pl_pair_run_m0(to, (const int8_t *)rows_a[ky] + from_a, (const int8_t *)rows_b[ky] + from_b, n);
        } else {
            pl_window_taps_m0(to, a, b, ky, p);
        }
    }
    return pl_pair_pad_m0(words, to);
}

static void pl_conv2d_s8__m0(const void *const *rows, int8_t *y, int32_t n, void *scratch,
                             const pl_conv2d_s8__m0_params *p)
{
    const int32_t out_c = p->out_c, segment = p->segment;
    uint32_t *words = (uint32_t *)scratch;
    pl_window_m0 a = {rows, 0, 0, -p->pad_left};
    for (int32_t pixels = n * p->out_w; pixels > 0; pixels -= 2, y += 2 * out_c) {
        /* A last single pixel is computed twice. */
        pl_window_m0 b = a;
        const int32_t distance = pixels > 1 ? out_c : 0, *w = p->weights;
        if (pixels > 1) {
            pl_window_next_m0(&b, p);
        }
        const uint32_t *end = words;
        for (int32_t oc = 0, count; oc < out_c; oc += count) {
            int32_t acc[2 * PL_M0_BLOCK];
            count = out_c - oc < PL_M0_BLOCK ? out_c - oc : PL_M0_BLOCK;
            if (oc == 0 || segment < p->kernel_h) {
                end = pl_window_pair_m0(words, &a, &b, 0, p);
            }
            pl_pair_dot_m0(words, w, acc, end, acc + 2 * count);
            w += (end - words) / 2 * ((count + 1) / 2);
            for (int32_t ky = segment; ky < p->kernel_h; ky += segment) {
                end = pl_window_pair_m0(words, &a, &b, ky, p);
                pl_pair_add_dot_m0(words, w, acc, end, 2 * count);
                w += (end - words) / 2 * ((count + 1) / 2);
            }
            pl_store_pair_m0(y + oc, distance, acc, count, oc, &p->channels);
        }
        a = b;
        pl_window_next_m0(&a, p);
    }
}
