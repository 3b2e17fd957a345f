#pragma once
#include "clamp_f32.h"
#include "common.h"
#include <math.h>

/* Maximum pooling of floats, one output row.
 *
 *   y[ox][c] = clamp(max over ky,kx of rows[ky][ix][c], low, high)
 *   ix = ox*stride_w + kx*dilation_w - pad_left
 *
 * rows  kernel_h pointers to input rows [in_w][channels]; NULL rows and columns outside the input
 *       do not take part; at least one element does
 * y     [out_w][channels]; must not overlap any row
 * No scratch.
 */
typedef struct {
    int32_t in_w, channels, out_w;
    int32_t kernel_h, kernel_w, stride_w, dilation_w, pad_left;
    float low, high;
} pl_max_pool2d_f32_params;

static void pl_max_pool2d_f32(const void *const *rows, float *y, const pl_max_pool2d_f32_params *p)
{
    for (int32_t ox = 0; ox < p->out_w; ox++) {
        const int32_t x0 = ox * p->stride_w - p->pad_left;
        const int32_t outside = x0 < 0 ? (p->dilation_w - 1 - x0) / p->dilation_w : 0; /* taps */
        const int32_t first = x0 + outside * p->dilation_w;
        const int32_t last = x0 + (p->kernel_w - 1) * p->dilation_w;
        const int32_t end = last < p->in_w ? last + 1 : p->in_w;
        for (int32_t c = 0; c < p->channels; c++) {
            float largest = -INFINITY;
            for (int32_t ky = 0; ky < p->kernel_h; ky++) {
                const float *row = rows[ky];
                for (int32_t ix = row ? first : end; ix < end; ix += p->dilation_w) {
                    const float v = row[ix * p->channels + c];
                    largest = v > largest ? v : largest;
                }
            }
            *y++ = pl_clamp_f32(largest, p->low, p->high);
        }
    }
}
