#pragma once
#include "nearest_even.h"

/* Average pooling of int8 under an ONNX rounding, one output row: in float32, one element after the other.
 *
 *   y[ox][c] = clamp(nearest even(mean over ky,kx of real(rows[ky][ox*stride_w + kx - pad_left][c])
 *                                 / scale_y + zero_y) - offset),  real(q) = (q - zero_x) * scale_x
 *
 * rows  kernel_h pointers to input rows [in_w][channels]; NULL rows and columns outside the input
 *       count neither in the sum nor in the number; at least one element counts
 * y     [out_w][channels]; must not overlap any row
 * offset is 128 for values that were uint8, else 0; zero_y, low and high hold it already. No scratch.
 */
typedef struct {
    int32_t in_w, channels, out_w;
    int32_t kernel_h, kernel_w, stride_w, pad_left;
    int32_t zero_x, offset;
    float scale_x, scale_y, zero_y, low, high;
} pl_average_pool2d_s8_onnx_params;

static void pl_average_pool2d_s8_onnx(const void *const *rows, int8_t *y,
                                      const pl_average_pool2d_s8_onnx_params *p)
{
    int32_t inside = 0;
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        inside += rows[ky] ? 1 : 0;
    }
    for (int32_t ox = 0; ox < p->out_w; ox++) {
        const int32_t x0 = ox * p->stride_w - p->pad_left;
        const int32_t first = x0 > 0 ? x0 : 0;
        const int32_t end = x0 + p->kernel_w < p->in_w ? x0 + p->kernel_w : p->in_w;
        const float count = (float)(inside * (end - first));
        for (int32_t c = 0; c < p->channels; c++) {
            float sum = 0.0f;
            for (int32_t ky = 0; ky < p->kernel_h; ky++) {
                const int8_t *row = (const int8_t *)rows[ky];
                for (int32_t ix = row ? first : end; ix < end; ix++) {
                    const float real = (float)(row[ix * p->channels + c] - p->zero_x) * p->scale_x;
                    sum += real;
                }
            }
            const float mean = sum / count;
            const float v = mean / p->scale_y + p->zero_y;
            *y++ = (int8_t)(pl_clamped_nearest_even(v, p->low, p->high) - p->offset);
        }
    }
}
