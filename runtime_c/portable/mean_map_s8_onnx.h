#pragma once
#include "nearest_even.h"
#include "sum_map.h"

/* Mean of a whole map of int8 under an ONNX rounding, taken row by row: the last row writes y.
 *
 *   y[c] = saturate(nearest even(float32(offset + sum over the map of x[.][.][c]) * factor) + zero_y)
 *
 * 1 / number of pixels is part of the factor; offset is minus their number times the zero point of x.
 * rows  row `row` of the map, [width][channels]
 * sums  [channels], kept by the caller from row 0 to the last
 * y     [channels]; must not overlap the row or sums. Scratch: sums.
 * Bounds: |offset + sum| < 2^30.
 */
typedef struct {
    int32_t width, channels, rows, offset, zero_y;
    float factor;
} pl_mean_map_s8_onnx_params;

static void pl_mean_map_s8_onnx(const void *const *rows, int32_t *sums, int8_t *y, int32_t row,
                                const pl_mean_map_s8_onnx_params *p)
{
    const float low = (float)(INT8_MIN - p->zero_y), high = (float)(INT8_MAX - p->zero_y);
    pl_sum_row_s8(rows[0], sums, p->width, p->channels, row);
    for (int32_t c = 0; row == p->rows - 1 && c < p->channels; c++) {
        const float v = (float)(p->offset + sums[c]) * p->factor;
        y[c] = (int8_t)(pl_clamped_nearest_even(v, low, high) + p->zero_y);
    }
}
