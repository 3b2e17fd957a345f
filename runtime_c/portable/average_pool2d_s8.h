#pragma once
#include "common.h"

/* Average pooling of int8, one output row.
 *
 *   y[ox][c] = clamp(round(mean over ky,kx of rows[ky][ox*stride_w + kx - pad_left][c]), low, high)
 *
 * rounding half away from zero.
 *
 * rows  kernel_h pointers to input rows [in_w][channels]; NULL rows and columns outside the input
 *       count neither in the sum nor in the number; at least one element counts
 * y     [out_w][channels]; must not overlap any row
 * No scratch. Bounds: kernel_h * kernel_w < 2^15 for int16, 2^23 for int8: sums stay below 2^30.
 */
typedef struct {
    int32_t in_w, channels, out_w;
    int32_t kernel_h, kernel_w, stride_w, pad_left;
    int32_t low, high;
} pl_average_pool2d_s8_params;

static void pl_average_pool2d_s8(const void *const *rows, int8_t *y,
                                 const pl_average_pool2d_s8_params *p)
{
    int32_t inside = 0;
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        inside += rows[ky] ? 1 : 0;
    }
    for (int32_t ox = 0; ox < p->out_w; ox++) {
        const int32_t x0 = ox * p->stride_w - p->pad_left;
        const int32_t first = x0 > 0 ? x0 : 0;
        const int32_t end = x0 + p->kernel_w < p->in_w ? x0 + p->kernel_w : p->in_w;
        const int32_t count = inside * (end - first);
        for (int32_t c = 0; c < p->channels; c++) {
            int32_t sum = 0;
            for (int32_t ky = 0; ky < p->kernel_h; ky++) {
                const int8_t *row = rows[ky];
                for (int32_t ix = row ? first : end; ix < end; ix++) {
                    sum += row[ix * p->channels + c];
                }
            }
            const int32_t mean = (sum + (sum > 0 ? count / 2 : -(count / 2))) / count;
            *y++ = (int8_t)pl_clamp(mean, p->low, p->high);
        }
    }
}
