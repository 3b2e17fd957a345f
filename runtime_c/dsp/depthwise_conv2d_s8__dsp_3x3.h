#pragma once
#include "depthwise_3x3.h"
#include "depthwise_planes_across.h"

/* Depthwise 3x3 convolution of int8, stride 1, up to PL_DW_LINES - 2 output rows: see
 * depthwise_3x3.h.
 *
 * rows     n + 2 pointers (NULL: padding) to input rows [in_w][in_c]
 * y        [n][out_w][in_c]; must not overlap any row
 * planes   scratch, (longest run + 3) / 2 * PL_DW_PAIR words
 * chunk    output columns per run, even; the last run has at least 2
 * Bounds: in_c >= 4.
 */
static void pl_depthwise_conv2d_s8__dsp_3x3(const void *const *rows, int8_t *y, int32_t n,
                                            int32_t *planes, const pl_dw3_params *p)
{
    const int32_t in_c = p->in_c;
    for (int32_t x = 0, run; x < p->out_w; x += run) {
        run = p->out_w - x < p->chunk ? p->out_w - x : p->chunk;
        for (int32_t at = 0; at < in_c; at += 4) {
            /* The last four channels may overlap those before. */
            const int32_t c = at + 4 <= in_c ? at : in_c - 4;
            pl_dw_planes(planes, PL_DW_PAIR, rows, n + 2, c, x - p->pad_left, (run + 3) / 2,
                         p->in_w, in_c, p->zero);
            pl_dw3_runs(planes, n, run, p->records + PL_DW3_WORDS * c, y + x * in_c + c, in_c,
                        p->out_w * in_c);
        }
    }
}
