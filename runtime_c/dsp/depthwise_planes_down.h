#pragma once
#include "depthwise_planes.h"

/* Down the rows: line i gets channels c .. c + 3 of column x + i of `count` rows (NULL: outside the
 * input). The last pair may have one more row, which is any.
 */
static PL_NOINLINE void pl_dw_planes_down(int32_t *planes, const void *const *rows, int32_t count,
                                          int32_t lines, int32_t c, int32_t x, int32_t in_w,
                                          int32_t in_c, int32_t zero)
{
    for (; lines > 0; lines--, planes += 4, x++) {
        int32_t *to = planes;
        if (x < 0 || x >= in_w) {
            for (int32_t i = 0; i < count; i += 2, to += PL_DW_PAIR) {
                pl_dw_pair(to, zero, zero);
            }
            continue;
        }
        const int32_t first = x * in_c + c;
        const void *const *row = rows;
        for (int32_t i = 1; i < count; i += 2, row += 2, to += PL_DW_PAIR) {
            const int32_t a = pl_ld32(pl_dw_at(row[0], first, &zero));
            pl_dw_pair(to, a, pl_ld32(pl_dw_at(row[1], first, &zero)));
        }
        if (count % 2) {
            const int32_t a = pl_ld32(pl_dw_at(row[0], first, &zero));
            pl_dw_pair(to, a, a);
        }
    }
}
