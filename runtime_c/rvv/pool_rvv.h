#pragma once
#include "common_rvv.h"

/* What pooling kernels share: windows clipped to the input, which is all that takes part.
 *
 * rows  row_count pointers to input rows, NULL for those outside the input
 * first, columns   the window's first column inside the input, and how many are
 */
typedef struct {
    int32_t first, columns;
} pl_columns_rvv;

/* Columns of the window at column x0. */
static inline pl_columns_rvv pl_pool_columns_rvv(int32_t x0, int32_t kernel_w, int32_t in_w)
{
    const int32_t end = x0 + kernel_w < in_w ? x0 + kernel_w : in_w;
    pl_columns_rvv c;
    c.first = x0 > 0 ? x0 : 0;
    c.columns = end - c.first;
    return c;
}
