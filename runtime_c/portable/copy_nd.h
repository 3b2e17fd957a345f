#pragma once
#include "copy2d.h"

/* Copy between two strided layouts: pl_copy2d at every position of up to 5 outer loops.
 *
 *   y[i0 * y_pitch0 + i1 * y_pitch1 + ... + b] = x[i0 * x_pitch0 + i1 * x_pitch1 + ... + b]
 *   for every i0 < count0, i1 < count1, ... and b < row_bytes
 *
 * loops    (count, y pitch, x pitch) per loop, outermost first, pitches in bytes (negative ones
 *          walk backwards); the last of them is the rows of pl_copy2d
 * depth    number of loops, 2 to 6
 * x and y must not overlap. No scratch.
 */
typedef struct {
    int32_t depth, row_bytes;
    const int32_t *loops; /* [depth][3] */
} pl_copy_nd_params;

static void pl_copy_nd(uint8_t *y, const uint8_t *x, const pl_copy_nd_params *p)
{
    const int32_t outer = p->depth - 1;
    const int32_t *rows = p->loops + 3 * outer;
    int32_t index[5] = {0, 0, 0, 0, 0};
    int32_t d = 0;
    while (d >= 0) {
        pl_copy2d(y, x, rows[0], p->row_bytes, rows[1], rows[2]);
        /* Count like an odometer: advance the innermost outer loop, rewind those that are full. */
        for (d = outer - 1; d >= 0; d--) {
            const int32_t *loop = p->loops + 3 * d;
            index[d]++;
            y += loop[1];
            x += loop[2];
            if (index[d] < loop[0]) {
                break;
            }
            index[d] = 0;
            y -= (ptrdiff_t)loop[0] * loop[1];
            x -= (ptrdiff_t)loop[0] * loop[2];
        }
    }
}
