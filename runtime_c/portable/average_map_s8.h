#pragma once
#include "sum_map.h"

/* Average of a whole map of int8, taken row by row: the last row writes y.
 *
 *   y[c] = clamp(round(mean over the map of x[.][.][c]), low, high), half away from zero
 *
 * rows  row `row` of the map, [width][channels]
 * sums  [channels], kept by the caller from row 0 to the last
 * y     [channels]; must not overlap the row or sums. Scratch: sums.
 * Bounds: rows * width < 2^23.
 */
typedef struct {
    int32_t width, channels, rows, low, high;
} pl_average_map_s8_params;

static void pl_average_map_s8(const void *const *rows, int32_t *sums, int8_t *y, int32_t row,
                              const pl_average_map_s8_params *p)
{
    const int32_t count = p->rows * p->width;
    pl_sum_row_s8(rows[0], sums, p->width, p->channels, row);
    for (int32_t c = 0; row == p->rows - 1 && c < p->channels; c++) {
        const int32_t half = sums[c] > 0 ? count / 2 : -(count / 2);
        y[c] = (int8_t)pl_clamp((sums[c] + half) / count, p->low, p->high);
    }
}
