#pragma once
#include "depthwise_tiles.h"
#include "depthwise_planes_across.h"

/* Depthwise 7x7 convolution of int8, stride 1, some output rows: see depthwise_tiles.h. All lines
 * of weights are unrolled.
 *
 * rows     n + 6 pointers (NULL: padding) to input rows [in_w][in_c], at most PL_DW_TALL_LINES
 * y        [n][out_w][in_c]; must not overlap any row
 * planes   scratch, for the pairs of columns that the tiles of a run read, PL_DW_TALL_PAIR words
 *          each
 */
#if defined(__GNUC__) && defined(__ARM_FEATURE_DSP)

#define PL_DWT_LINE_7X7 PL_DWT_7("192", "384", "576", "768", "")

static PL_NOINLINE void pl_dwt_run_7x7(const pl_dwt_job *job)
{
    PL_DWT_RUN(PL_DWT_LINE_7X7 PL_DWT_LINE_7X7 PL_DWT_LINE_7X7 PL_DWT_LINE_7X7
               PL_DWT_LINE_7X7 PL_DWT_LINE_7X7 PL_DWT_LINE_7X7,
               "384");
}

#else

static void pl_dwt_run_7x7(const pl_dwt_job *job)
{
    pl_dwt_run(job, PL_DW_TALL_PAIR, 7, 1);
}

#endif

static void pl_depthwise_conv2d_s8__dsp_7x7(const void *const *rows, int8_t *y, int32_t n,
                                            int32_t *planes, const pl_dwt_params *p)
{
    const int32_t in_c = p->in_c;
    for (int32_t x = 0, run; x < p->out_w; x += run) {
        run = p->out_w - x < p->chunk ? p->out_w - x : p->chunk;
        for (int32_t at = 0; at < in_c; at += 4) {
            /* The last four channels may overlap those before. */
            const int32_t c = at + 4 <= in_c ? at : in_c - 4;
            pl_dw_planes(planes, PL_DW_TALL_PAIR, rows, n + 6, c, x - p->pad_left,
                         (run + 7) / 2, p->in_w, in_c, p->zero);
            const pl_dwt_job job =
                pl_dwt_job_of(planes, n, run, p->records + p->record * c, y + x * in_c + c, p);
            pl_dwt_run_7x7(&job);
        }
    }
}
