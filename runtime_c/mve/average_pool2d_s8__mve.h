#pragma once
#include "sum_mve.h"

/* Average pooling of int8, one output row, 8 channels at a time.
 *
 * Formula, rows, y and parameters as pl_average_pool2d_s8. No scratch.
 * Bounds: kernel_h * kernel_w < 2^23.
 */
typedef struct {
    int32_t in_w, channels, out_w;
    int32_t kernel_h, kernel_w, stride_w, pad_left;
    int32_t low, high;
} pl_average_pool2d_s8__mve_params;

/* Whether the window holds whole rows that follow each other. */
static inline int32_t pl_average_pool2d_s8__mve_joined(const void *const *rows,
                                                       const pl_average_pool2d_s8__mve_params *p)
{
    int32_t joined = p->pad_left == 0 && p->kernel_w == p->in_w && rows[0];
    for (int32_t ky = 1; ky < p->kernel_h && joined; ky++) {
        joined = rows[ky] == (const int8_t *)rows[ky - 1] + p->in_w * p->channels;
    }
    return joined;
}

static void pl_average_pool2d_s8__mve(const void *const *rows, int8_t *y,
                                      const pl_average_pool2d_s8__mve_params *p)
{
    const int32_t channels = p->channels, joined = pl_average_pool2d_s8__mve_joined(rows, p);
    int32_t inside = 0;
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        inside += rows[ky] ? 1 : 0;
    }
    for (int32_t ox = 0; ox < p->out_w; ox++, y += channels) {
        const int32_t x0 = ox * p->stride_w - p->pad_left;
        const int32_t first = x0 > 0 ? x0 : 0;
        const int32_t end = x0 + p->kernel_w < p->in_w ? x0 + p->kernel_w : p->in_w;
        const int32_t count = inside * (end - first);
        /* Joined rows are one long row. */
        const int32_t walks = joined ? 1 : p->kernel_h, width = joined ? count : end - first;
        for (int32_t c = 0; c < channels; c += 8) {
            const int32_t n = pl_mve_next(channels - c, 8);
            int32_t sum[8] = {0};
            for (int32_t ky = 0; ky < walks; ky++) {
                const int8_t *x = (const int8_t *)rows[ky];
                for (int32_t i = x ? 0 : width; i < width; i += 255) {
                    const int32_t part = pl_mve_next(width - i, 255);
                    pl_mve_sum(sum, x + (ptrdiff_t)(first + i) * channels + c, part, channels, n);
                }
            }
            for (int32_t i = 0; i < n; i++) {
                const int32_t half = sum[i] > 0 ? count / 2 : -(count / 2);
                y[c + i] = (int8_t)pl_clamp((sum[i] + half) / count, p->low, p->high);
            }
        }
    }
}
