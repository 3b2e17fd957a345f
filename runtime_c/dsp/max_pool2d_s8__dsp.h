#pragma once
#include "common_dsp.h"

/* Maximum pooling of int8, one output row, four channels at a time.
 *
 *   y[ox][c] = clamp(max over ky,kx of rows[ky][ox*stride_w + kx - pad_left][c], low, high)
 *
 * rows  kernel_h pointers to input rows [in_w][channels]; NULL rows and columns outside the input
 *       do not take part; at least one element does
 * y     [out_w][channels]; must not overlap any row
 * No scratch. Bounds: channels >= 4.
 */
typedef struct {
    int32_t in_w, channels, out_w;
    int32_t kernel_h, kernel_w, stride_w, pad_left;
    int32_t low, high;
} pl_max_pool2d_s8__dsp_params;

/* The byte v four times. */
static inline int32_t pl_splat_s8(int32_t v)
{
    return (int32_t)(((uint32_t)v & 0xFFu) * 0x01010101u);
}

static void pl_max_pool2d_s8__dsp(const void *const *rows, int8_t *y,
                                  const pl_max_pool2d_s8__dsp_params *p)
{
    const int32_t channels = p->channels, low = pl_splat_s8(p->low), high = pl_splat_s8(p->high);
    for (int32_t ox = 0; ox < p->out_w; ox++, y += channels) {
        const int32_t x0 = ox * p->stride_w - p->pad_left;
        const int32_t first = x0 > 0 ? x0 : 0;
        const int32_t end = x0 + p->kernel_w < p->in_w ? x0 + p->kernel_w : p->in_w;
        for (int32_t at = 0; at < channels; at += 4) {
            /* The last four channels may overlap those before. */
            const int32_t c = at + 4 <= channels ? at : channels - 4;
            int32_t largest = low;
            for (int32_t ky = 0; ky < p->kernel_h; ky++) {
                const int8_t *row = (const int8_t *)rows[ky];
                if (row) {
                    const int8_t *x = row + first * channels + c;
                    for (int32_t i = first; i < end; i++, x += channels) {
                        largest = pl_max4_s8(largest, pl_ld32(x));
                    }
                }
            }
            pl_st32(y + c, pl_min4_s8(largest, high));
        }
    }
}
