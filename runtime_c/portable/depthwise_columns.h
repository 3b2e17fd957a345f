#pragma once
#include "common.h"

/* Which taps of a window row lie inside the input: [first, first + count), tap `first` reading from
 * element `offset` of the input row on. */
typedef struct {
    int32_t first, count, offset;
} pl_columns;

/* Columns of the window whose left edge is column x0 (negative in the left padding). */
static inline pl_columns pl_window_columns(int32_t x0, int32_t kernel_w, int32_t dilation_w,
                                           int32_t in_w, int32_t in_c)
{
    pl_columns s = {0, 0, 0};
    int32_t ix = x0;
    for (; s.first < kernel_w && ix < 0; ix += dilation_w) {
        s.first++;
    }
    s.offset = ix * in_c;
    for (int32_t kx = s.first; kx < kernel_w && ix < in_w; ix += dilation_w, kx++) {
        s.count++;
    }
    return s;
}
