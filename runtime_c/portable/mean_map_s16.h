#pragma once
#include "sum_map_s16.h"

/* Mean of a whole map of int16, taken row by row: the last row writes y.
 *
 *   y[c] = saturate(requantize(offset + sum over the map of x[.][.][c]))
 *
 * 1 / number of pixels is part of the multiplier; offset is minus their number times the zero point of x.
 * rows  row `row` of the map, [width][channels]
 * sums  [channels], kept by the caller from row 0 to the last
 * y     [channels]; must not overlap the row or sums. Scratch: sums.
 * Bounds: |offset + sum| < 2^30 after the left shift of a positive `shift`.
 */
typedef struct {
    int32_t width, channels, rows, offset, multiplier, shift, zero_y;
} pl_mean_map_s16_params;

static void pl_mean_map_s16(const void *const *rows, int32_t *sums, int16_t *y, int32_t row,
                            const pl_mean_map_s16_params *p)
{
    pl_sum_row_s16(rows[0], sums, p->width, p->channels, row);
    for (int32_t c = 0; row == p->rows - 1 && c < p->channels; c++) {
        const int32_t mean = pl_requantize(p->offset + sums[c], p->multiplier, p->shift, p->zero_y);
        y[c] = (int16_t)pl_clamp(mean, INT16_MIN, INT16_MAX);
    }
}
