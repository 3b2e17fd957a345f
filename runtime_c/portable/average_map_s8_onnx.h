#pragma once
#include "nearest_even.h"

/* Average of a whole map of int8 under an ONNX rounding, taken row by row in float32: the last row writes y.
 *
 *   y[c] = clamp(nearest even(mean over the map of real(x[.][.][c]) / scale_y + zero_y) - offset),
 *   real(q) = (q - zero_x) * scale_x
 *
 * rows  row `row` of the map, [width][channels]
 * sums  [channels], kept by the caller from row 0 to the last
 * y     [channels]; must not overlap the row or sums. Scratch: sums.
 * offset is 128 for values that were uint8, else 0; zero_y, low and high hold it already.
 * Order of additions: that of the pixels in the map.
 */
typedef struct {
    int32_t width, channels, rows, zero_x, offset;
    float scale_x, scale_y, zero_y, low, high;
} pl_average_map_s8_onnx_params;

static void pl_average_map_s8_onnx(const void *const *rows, float *sums, int8_t *y, int32_t row,
                                   const pl_average_map_s8_onnx_params *p)
{
    const int8_t *x = rows[0];
    if (row == 0) {
        memset(sums, 0, (size_t)p->channels * sizeof *sums);
    }
    for (int32_t i = 0; i < p->width; i++) {
        for (int32_t c = 0; c < p->channels; c++) {
            const float real = (float)(*x++ - p->zero_x) * p->scale_x;
            sums[c] += real;
        }
    }
    for (int32_t c = 0; row == p->rows - 1 && c < p->channels; c++) {
        const float mean = sums[c] / (float)(p->rows * p->width);
        const float v = mean / p->scale_y + p->zero_y;
        y[c] = (int8_t)(pl_clamped_nearest_even(v, p->low, p->high) - p->offset);
    }
}
