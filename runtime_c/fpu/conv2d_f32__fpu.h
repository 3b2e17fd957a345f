#pragma once
#include "pixels4_f32.h"

/* 2-D convolution of float32, a block of output rows, in blocks of four pixels whose windows are
 * gathered.
 *
 *   y[oy][ox][oc] = clamp(bias[oc]
 *       + sum over ky,kx,ic of row[oy*stride_h + ky][ox*stride_w + kx*dilation - pad][ic]
 *                              * weights[oc / 4][ky][kx][ic][oc % 4])
 *
 * rows     pointers to the input rows [in_w][in_c] of `count` output rows, kernel_h of each; those
 *          outside the input hold zeros
 * y        [count][out_w][out_c]; must not overlap any row
 * scratch  [kernel_h][kernel_w][in_c][4] floats
 * Order of additions: ky, kx, ic, from 0; the bias last. Products of weights with the zeros outside
 * the input do not change a sum, so these need not be skipped: weights are finite.
 */
typedef struct {
    int32_t in_w, in_c, out_w;
    int32_t kernel_h, kernel_w, stride_w, dilation_w, pad_left, stride_h;
    const float *weights; /* [ceil(out_c / 4)][kernel_h][kernel_w][in_c][4], zeros at the end */
    pl_ends_f32 ends;
} pl_conv2d_f32__fpu_params;

/* to[k * step] = value k of the window whose left column is x0, k running over ky, kx and ic. */
static PL_INLINE void pl_gather_f32(const void *const *rows, int32_t x0, float *to, int32_t step,
                                    const pl_conv2d_f32__fpu_params *p)
{
    const int32_t n = p->in_c, row = p->kernel_w * n;
    const int inside = x0 >= 0 && x0 + p->kernel_w <= p->in_w && p->dilation_w == 1;
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        const float *from = (const float *)rows[ky];
        if (inside) {
            pl_spread_f32(from + x0 * n, row, to, step);
            to += row * step;
            continue;
        }
        for (int32_t kx = 0, ix = x0; kx < p->kernel_w; kx++, ix += p->dilation_w) {
            const int is_zero = ix < 0 || ix >= p->in_w;
            for (int32_t i = 0; i < n; i++, to += step) {
                *to = is_zero ? 0.0f : from[ix * n + i];
            }
        }
    }
}

/* The next pixel along the rows: its column, and pointers to its rows. */
typedef struct {
    const void *const *rows;
    int32_t ox;
} pl_place_f32;

static PL_INLINE void pl_gather_next_f32(pl_place_f32 *at, float *to, int32_t step,
                                         const pl_conv2d_f32__fpu_params *p)
{
    if (at->ox == p->out_w) {
        at->ox = 0;
        at->rows += p->stride_h;
    }
    pl_gather_f32(at->rows, at->ox++ * p->stride_w - p->pad_left, to, step, p);
}

static void pl_conv2d_f32__fpu(const void *const *rows, float *y, int32_t count, float *scratch,
                               const pl_conv2d_f32__fpu_params *p)
{
    const int32_t n = p->kernel_h * p->kernel_w * p->in_c, out_c = p->ends.out_c;
    int32_t left = count * p->out_w;
    pl_place_f32 at = {rows, 0};
    for (; left >= 4; left -= 4, y += 4 * out_c) {
        for (int32_t i = 0; i < 4; i++) {
            pl_gather_next_f32(&at, scratch + i, 4, p);
        }
        pl_pixels4_f32(scratch, p->weights, n, y, &p->ends);
    }
    for (; left > 0; left--, y += out_c) {
        pl_gather_next_f32(&at, scratch, 1, p);
        pl_pixel_f32(scratch, p->weights, n, y, &p->ends);
    }
}
