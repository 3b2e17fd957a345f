#pragma once
#include "gather_pairs.h"
#include "pairs_channels.h"

/* What a convolution needs to gather windows from its rows. Fields as in pl_conv2d_s8_params, but
 * that `pad` has only kernel_w * in_c elements.
 */
typedef struct {
    int32_t in_w, in_c, out_w;
    int32_t kernel_h, kernel_w, stride_h, stride_w, dilation_w, pad_left;
    const int8_t *pad;
} pl_windows;

/* What the kernels for convolution by pairs take. */
typedef struct {
    pl_windows windows;
    pl_pairs_channels pairs; /* its k: elements of a window */
} pl_conv2d_s8__scalar_pairs_params;

/* Where the window of an output pixel lies: its first row, its left column, and the pixels left in
 * its row.
 */
typedef struct {
    int32_t row, x0, left;
} pl_window;

/* Of the next pixel; after the last one of a row comes the first one of the next row. */
static inline pl_window pl_next_window(pl_window at, const pl_windows *p)
{
    const pl_window right = {at.row, at.x0 + p->stride_w, at.left - 1};
    const pl_window below = {at.row + p->stride_h, -p->pad_left, p->out_w};
    return at.left > 1 ? right : below;
}

/* Taps side by side inside the row can be read as one run. */
static inline int32_t pl_is_inside(int32_t x0, const pl_windows *p)
{
    return x0 >= 0 && x0 + p->kernel_w <= p->in_w && p->dilation_w == 1;
}

/* Where a run that begins at column x0 lies: in the row, or in `pad` outside it and for rows of
 * padding.
 */
static inline const int8_t *pl_window_run(const void *row, const pl_windows *p, int32_t x0)
{
    const int32_t outside = row == p->pad || x0 < 0 || x0 >= p->in_w;
    return outside ? p->pad : (const int8_t *)row + x0 * p->in_c;
}

/* Pairs of the elements of two windows, every `step` words. */
static PL_NOINLINE void pl_gather_windows(uint32_t *to, int32_t step, const void *const *rows,
                                          pl_window a, pl_window b, const pl_windows *p)
{
    const int32_t whole = pl_is_inside(a.x0, p) && pl_is_inside(b.x0, p);
    const int32_t runs = whole ? 1 : p->kernel_w, n = (whole ? p->kernel_w : 1) * p->in_c;
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        const void *row_a = rows[a.row + ky], *row_b = rows[b.row + ky];
        for (int32_t i = 0, x = 0; i < runs; i++, x += p->dilation_w, to += step * n) {
            pl_gather_pairs(to, step, pl_window_run(row_a, p, a.x0 + x),
                            pl_window_run(row_b, p, b.x0 + x), n);
        }
    }
}

/* Windows of n pixels from `at` on, as `pairs` words per element; the last pixel is repeated.
 * Returns where the pixel behind them is. */
static PL_NOINLINE pl_window pl_gather_pixels(uint32_t *to, int32_t pairs, const void *const *rows,
                                              pl_window at, int32_t n, const pl_windows *p)
{
    for (int32_t i = 0; i < pairs; i++) {
        const pl_window second = 2 * i + 1 < n ? pl_next_window(at, p) : at;
        pl_gather_windows(to + i, pairs, rows, at, second, p);
        at = 2 * i + 2 < n ? pl_next_window(second, p) : second;
    }
    return pl_next_window(at, p);
}
