#pragma once
#include "depthwise_tiles_any.h"
#include "depthwise_planes_across.h"

/* Depthwise convolution of int8, some output rows, windows up to 7 wide: see depthwise_tiles.h.
 *
 * rows     (n - 1) * stride_h + kernel_h pointers (NULL: padding) to input rows
 *          [in_w][in_c], at most PL_DW_LINES
 * y        [n][out_w][in_c]; must not overlap any row
 * planes   scratch, for the pairs of columns that the tiles of a run read, PL_DW_PAIR words each
 */
static void pl_depthwise_conv2d_s8__dsp_tiles(const void *const *rows, int8_t *y, int32_t n,
                                              int32_t *planes, const pl_dwt_params *p)
{
    const int32_t in_c = p->in_c, lines = (n - 1) * p->stride_h + p->kernel_h;
    for (int32_t x = 0, run; x < p->out_w; x += run) {
        run = p->out_w - x < p->chunk ? p->out_w - x : p->chunk;
        const int32_t pairs = ((run - 1) * p->stride_w + p->kernel_w + 1) / 2;
        for (int32_t at = 0; at < in_c; at += 4) {
            /* The last four channels may overlap those before. */
            const int32_t c = at + 4 <= in_c ? at : in_c - 4;
            pl_dw_planes(planes, PL_DW_PAIR, rows, lines, c, x * p->stride_w - p->pad_left, pairs,
                         p->in_w, in_c, p->zero);
            pl_dwt_runs(planes, n, run, p->records + p->record * c, y + x * in_c + c, p);
        }
    }
    pl_dw_clamp(y, n * p->out_w * in_c, p->low, p->high);
}
