#pragma once
#include "sums.h"

/* Average pooling of int8, one output row, four channels at a time.
 *
 *   y[ox][c] = clamp(round(mean over ky,kx of rows[ky][ox*stride_w + kx - pad_left][c]), low, high)
 *
 * rounding half away from zero.
 *
 * rows  kernel_h pointers to input rows [in_w][channels]; NULL rows and columns outside the input
 *       count neither in the sum nor in the number; at least one element counts
 * y     [out_w][channels]; must not overlap any row
 * No scratch. Bounds: channels >= 4; kernel_h * kernel_w <= PL_SUM_PIXELS.
 */
typedef struct {
    int32_t in_w, channels, out_w;
    int32_t kernel_h, kernel_w, stride_w, pad_left;
    int32_t low, high;
} pl_average_pool2d_s8__dsp_params;

/* Whether the rows are all inside and follow each other in memory, like one long row. */
static inline int32_t pl_rows_joined(const void *const *rows, int32_t n, int32_t pitch)
{
    int32_t joined = rows[0] != NULL;
    for (int32_t i = 1; i < n && joined; i++) {
        joined = rows[i] == (const int8_t *)rows[i - 1] + pitch;
    }
    return joined;
}

static void pl_average_pool2d_s8__dsp(const void *const *rows, int8_t *y,
                                      const pl_average_pool2d_s8__dsp_params *p)
{
    const int32_t channels = p->channels;
    const int32_t joined = pl_rows_joined(rows, p->kernel_h, p->in_w * channels);
    int32_t inside = 0;
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        inside += rows[ky] ? 1 : 0;
    }
    for (int32_t ox = 0; ox < p->out_w; ox++, y += channels) {
        const int32_t x0 = ox * p->stride_w - p->pad_left;
        const int32_t first = x0 > 0 ? x0 : 0;
        const int32_t end = x0 + p->kernel_w < p->in_w ? x0 + p->kernel_w : p->in_w;
        const int32_t count = inside * (end - first), half = count / 2;
        const int32_t whole = joined && end - first == p->in_w;
        const int32_t runs = whole ? 1 : p->kernel_h, n = whole ? count : end - first;
        for (int32_t at = 0; at < channels; at += 4) {
            /* The last four channels may overlap those before. */
            const int32_t c = at + 4 <= channels ? at : channels - 4;
            pl_sum4 sum = {0, 0};
            for (int32_t ky = 0; ky < runs; ky++) {
                if (rows[ky]) {
                    pl_sum4_add(&sum, (const int8_t *)rows[ky] + first * channels + c, channels, n);
                }
            }
            int32_t total[4] = {0, 0, 0, 0};
            pl_sum4_flush(sum, total);
            for (int32_t i = 0; i < 4; i++) {
                const int32_t mean = (total[i] + (total[i] > 0 ? half : -half)) / count;
                y[c + i] = (int8_t)pl_clamp(mean, p->low, p->high);
            }
        }
    }
}
