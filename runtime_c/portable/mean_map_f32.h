#pragma once
#include "sum_map_f32.h"

/* Mean of a whole map of float32, taken row by row: the last row writes y.
 *
 *   y[c] = sum over the map of x[.][.][c] / count
 *
 * rows  row `row` of the map, [width][channels]
 * sums  [channels], kept by the caller from row 0 to the last
 * y     [channels]; must not overlap the row or sums. Scratch: sums.
 */
typedef struct {
    int32_t width, channels, rows;
    float count;
} pl_mean_map_f32_params;

static void pl_mean_map_f32(const void *const *rows, float *sums, float *y, int32_t row,
                            const pl_mean_map_f32_params *p)
{
    pl_sum_row_f32(rows[0], sums, p->width, p->channels, row);
    for (int32_t c = 0; row == p->rows - 1 && c < p->channels; c++) {
        y[c] = sums[c] / p->count;
    }
}
