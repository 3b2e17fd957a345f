#pragma once
#include "depthwise_tiles_any.h"
#include "depthwise_planes_down.h"

/* Depthwise convolution of int8 for maps one column wide, as of time series: a run goes down the
 * column, see depthwise_tiles.h. The window is `kernel_h` pieces of kernel_w taps, each a line of
 * the planes.
 *
 * rows     (n - 1) * stride_w + taps pointers (NULL: padding) to input rows [in_c]
 * y        [n][in_c]; must not overlap any row
 * planes   scratch, for the pairs of rows that the tiles of a run read, PL_DW_PAIR words each
 */
typedef struct {
    pl_dwt_params tiles;
    int32_t taps;
} pl_dws_params;

static void pl_depthwise_conv2d_s8__dsp_series(const void *const *rows, int8_t *y, int32_t n,
                                               int32_t *planes,
                                               const pl_dws_params *series)
{
    const pl_dwt_params *p = &series->tiles;
    const int32_t in_c = p->in_c, whole = (n - 1) * p->stride_w + p->kernel_w;
    const int32_t given = (n - 1) * p->stride_w + series->taps;
    for (int32_t at = 0; at < in_c; at += 4) {
        /* The last four channels may overlap those before. */
        const int32_t c = at + 4 <= in_c ? at : in_c - 4;
        for (int32_t i = 0; i < p->kernel_h; i++) {
            const int32_t skip = i * p->kernel_w, left = given - skip;
            const int32_t count = left < whole ? left : whole;
            pl_dw_planes_down(planes + 4 * i, rows + skip, count, 1, c, 0, 1, in_c, p->zero);
        }
        pl_dwt_runs(planes, 1, n, p->records + p->record * c, y + c, p);
    }
    pl_dw_clamp(y, n * in_c, p->low, p->high);
}
