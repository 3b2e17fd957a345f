#pragma once
#include "copy.h"

/* y[r * y_pitch + i] = x[r * x_pitch + i], r < rows, i < row_bytes.
 *
 * Pitches are bytes from one row to the next, negative ones walk backwards. Rows of 1, 2 and 4
 * bytes are single elements of a strided or transposed tensor. x and y must not overlap.
 * No scratch.
 */
static void pl_copy2d(uint8_t *y, const uint8_t *x, int32_t rows, int32_t row_bytes,
                      int32_t y_pitch, int32_t x_pitch)
{
    for (ptrdiff_t r = 0; r < rows; r++) {
        uint8_t *to = y + r * y_pitch;
        const uint8_t *from = x + r * x_pitch;
        if (row_bytes == 1) {
            *to = *from;
        } else if (row_bytes == 2) {
            memcpy(to, from, 2);
        } else if (row_bytes == 4) {
            memcpy(to, from, 4);
        } else {
            memcpy(to, from, (size_t)row_bytes);
        }
    }
}
