#pragma once
#include "common.h"

/* sums[c] += sum over the `width` pixels of a row [width][channels] of float32; row 0 starts at zero.
 *
 * sums  [channels], kept between the rows of a map by the caller
 * Order of additions: that of the pixels in the map.
 */
static void pl_sum_row_f32(const float *x, float *sums, int32_t width,
                           int32_t channels, int32_t row)
{
    if (row == 0) {
        memset(sums, 0, (size_t)channels * sizeof *sums);
    }
    for (int32_t i = 0; i < width; i++) {
        for (int32_t c = 0; c < channels; c++) {
            sums[c] += *x++;
        }
    }
}
