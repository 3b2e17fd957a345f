#pragma once
#include "common.h"

/* sums[c] += sum over the `width` pixels of a row [width][channels] of int8; row 0 starts at zero.
 *
 * sums  [channels], kept between the rows of a map by the caller
 * Bounds: rows * width * 128 < 2^31.
 */
static void pl_sum_row_s8(const int8_t *x, int32_t *sums, int32_t width,
                          int32_t channels, int32_t row)
{
    int32_t c = 0;
    for (; c + 4 <= channels; c += 4) { /* four at a time: their sums stay in registers */
        const int8_t *at = x + c;
        int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
        for (int32_t i = width; i > 0; i--, at += channels) {
            s0 += at[0];
            s1 += at[1];
            s2 += at[2];
            s3 += at[3];
        }
        sums[c] = s0 + (row == 0 ? 0 : sums[c]);
        sums[c + 1] = s1 + (row == 0 ? 0 : sums[c + 1]);
        sums[c + 2] = s2 + (row == 0 ? 0 : sums[c + 2]);
        sums[c + 3] = s3 + (row == 0 ? 0 : sums[c + 3]);
    }
    for (; c < channels; c++) {
        int32_t sum = row == 0 ? 0 : sums[c];
        for (int32_t i = 0; i < width; i++) {
            sum += x[i * channels + c];
        }
        sums[c] = sum;
    }
}
