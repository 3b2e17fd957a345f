#pragma once
#include "depthwise_windows.h"
#include "outputs_s8.h"

/* Depthwise 2-D convolution of int8 with as many output as input channels, up to four output rows.
 *
 *   y[oy][ox][c] = clamp(requantize(bias[c]
 *       + sum over ky,kx of row[oy*stride_h + ky][ox*stride_w + kx*dilation_w - pad][c] *
 *       w[c][kx][ky]))
 *
 * Tiles of PL_LANES channels, `tile` output columns and all rows are copied to scratch together
 * with the padding, so that windows need no tests. Then four output rows of one channel are
 * computed at a time.
 *
 * rows       tile_h = 3 * stride_h + kernel_h pointers to input rows [in_w][in_c]; rows outside the
 *            input point to `pad`; those that only output rows from n on need are not used
 * y          [n][out_w][in_c]; must not overlap any row
 * pad        at least in_c elements, all equal to the input's zero point
 * scratch    ((tile - 1) * stride_w + (kernel_w - 1) * dilation_w + 1) * tile_h * PL_LANES bytes
 * Bounds: |accumulator| < 2^30 for any input (proven when the code was generated).
 */
typedef struct {
    int32_t in_w, in_c, out_w;
    int32_t kernel_h, kernel_w, stride_h, stride_w, dilation_w, pad_left;
    int32_t tile, tile_h;
    pl_outputs_s8 outputs;
    const int8_t *pad;
    const int8_t *weights;
} pl_depthwise_conv2d_s8__scalar_params;

/* Columns [x0, x0 + columns) of channels [c, c + lanes) of the first `height` rows. */
static PL_NOINLINE void pl_depthwise_gather_s8(int8_t *to, const void *const *rows, int32_t height,
                                               int32_t x0, int32_t columns, int32_t c,
                                               int32_t lanes,
                                               const pl_depthwise_conv2d_s8__scalar_params *p)
{
    const int32_t in_c = p->in_c, pitch = p->tile_h * PL_LANES;
    for (int32_t r = 0; r < height; r++, to += PL_LANES) {
        const int8_t *row = (const int8_t *)rows[r];
        const int32_t in_w = row == p->pad ? 0 : p->in_w;
        int8_t *t = to;
        for (int32_t x = x0; x < x0 + columns; x++, t += pitch) {
            const int8_t *from = (uint32_t)x < (uint32_t)in_w ? row + x * in_c + c : p->pad;
            if (lanes == PL_LANES) {
                memcpy(t, from, PL_LANES);
            } else {
                for (int32_t i = 0; i < lanes; i++) {
                    t[i] = from[i];
                }
            }
        }
    }
}

enum { PL_WINDOW_ANY = 0, PL_WINDOW_3X3_S1 = 1, PL_WINDOW_3X3_S2 = 2 };

/* n output rows and `columns` columns of channels [c, c + lanes); x is their tile. */
static PL_INLINE void pl_depthwise_tile_s8(const int8_t *x, int8_t *y, int32_t n, int32_t columns,
                                           int32_t c, int32_t lanes, int32_t mode,
                                           const pl_depthwise_conv2d_s8__scalar_params *p)
{
    const int32_t pitch = p->tile_h * PL_LANES, step = pitch * p->stride_w, in_c = p->in_c;
    const int32_t row = p->out_w * in_c, last = (n - 1) * row, taps = p->kernel_h * p->kernel_w;
    const int32_t at[4] = {0, n > 1 ? row : 0, n > 2 ? 2 * row : last, last};
    const int8_t *w = p->weights + c * taps;
    const int32_t *channel = p->outputs.channels + 4 * c;
    for (const int8_t *end = x + lanes; x != end; x++, y++, w += taps, channel += 4) {
        const int8_t *from = x;
        int8_t *to = y;
        for (int32_t left = columns; left > 0; left--, from += step, to += in_c) {
            int32_t acc[4];
            if (mode == PL_WINDOW_3X3_S1) {
                pl_window_3x3_s1(from, pitch, w, acc);
            } else if (mode == PL_WINDOW_3X3_S2) {
                pl_window_3x3_s2(from, pitch, w, acc);
            } else {
                pl_window_any_4(from, pitch * p->dilation_w, w, p->kernel_h, p->kernel_w,
                                p->stride_h, acc);
            }
            pl_output4_s8(to, at, acc, channel, &p->outputs);
        }
    }
}

static PL_NOINLINE void pl_depthwise_tile_any_s8(const int8_t *x, int8_t *y, int32_t n,
                                                 int32_t columns, int32_t c, int32_t lanes,
                                                 const pl_depthwise_conv2d_s8__scalar_params *p)
{
    pl_depthwise_tile_s8(x, y, n, columns, c, lanes, PL_WINDOW_ANY, p);
}

static PL_NOINLINE void pl_depthwise_tile_3x3_s1_s8(const int8_t *x, int8_t *y, int32_t n,
                                                    int32_t columns, int32_t c, int32_t lanes,
                                                    const pl_depthwise_conv2d_s8__scalar_params *p)
{
    pl_depthwise_tile_s8(x, y, n, columns, c, lanes, PL_WINDOW_3X3_S1, p);
}

static PL_NOINLINE void pl_depthwise_tile_3x3_s2_s8(const int8_t *x, int8_t *y, int32_t n,
                                                    int32_t columns, int32_t c, int32_t lanes,
                                                    const pl_depthwise_conv2d_s8__scalar_params *p)
{
    pl_depthwise_tile_s8(x, y, n, columns, c, lanes, PL_WINDOW_3X3_S2, p);
}

static void pl_depthwise_conv2d_s8__scalar(const void *const *rows, int8_t *y, int32_t n,
                                           int8_t *scratch,
                                           const pl_depthwise_conv2d_s8__scalar_params *p)
{
    const int32_t is_3x3 = p->kernel_h == 3 && p->kernel_w == 3 && p->dilation_w == 1;
    const int32_t mode = is_3x3 && p->stride_h <= 2 ? p->stride_h : PL_WINDOW_ANY;
    const int32_t extent = (p->kernel_w - 1) * p->dilation_w + 1;
    const int32_t height = (n - 1) * p->stride_h + p->kernel_h;
    for (int32_t ox = 0; ox < p->out_w; ox += p->tile, y += p->tile * p->in_c) {
        const int32_t columns = p->out_w - ox < p->tile ? p->out_w - ox : p->tile;
        const int32_t x0 = ox * p->stride_w - p->pad_left;
        const int32_t wide = (columns - 1) * p->stride_w + extent;
        for (int32_t c = 0; c < p->in_c; c += PL_LANES) {
            const int32_t lanes = p->in_c - c < PL_LANES ? p->in_c - c : PL_LANES;
            pl_depthwise_gather_s8(scratch, rows, height, x0, wide, c, lanes, p);
            if (mode == PL_WINDOW_3X3_S1) {
                pl_depthwise_tile_3x3_s1_s8(scratch, y + c, n, columns, c, lanes, p);
            } else if (mode == PL_WINDOW_3X3_S2) {
                pl_depthwise_tile_3x3_s2_s8(scratch, y + c, n, columns, c, lanes, p);
            } else {
                pl_depthwise_tile_any_s8(scratch, y + c, n, columns, c, lanes, p);
            }
        }
    }
}
