#pragma once
#include "depthwise_tiles.h"
#include "depthwise_planes_across.h"

/* Depthwise 5x5 convolution of int8, stride 1, some output rows: see depthwise_tiles.h. All lines
 * of weights are unrolled.
 *
 * rows     n + 4 pointers (NULL: padding) to input rows [in_w][in_c], at most PL_DW_LINES
 * y        [n][out_w][in_c]; must not overlap any row
 * planes   scratch, for the pairs of columns that the tiles of a run read, PL_DW_PAIR words each
 */
#if defined(__GNUC__) && defined(__ARM_FEATURE_DSP)

#define PL_DWT_LINE_5X5 PL_DWT_5("128", "256", "384", "")

static PL_NOINLINE void pl_dwt_run_5x5(const pl_dwt_job *job)
{
    PL_DWT_RUN(PL_DWT_LINE_5X5 PL_DWT_LINE_5X5 PL_DWT_LINE_5X5 PL_DWT_LINE_5X5
               PL_DWT_LINE_5X5,
               "256");
}

#else

static void pl_dwt_run_5x5(const pl_dwt_job *job)
{
    pl_dwt_run(job, PL_DW_PAIR, 5, 1);
}

#endif

static void pl_depthwise_conv2d_s8__dsp_5x5(const void *const *rows, int8_t *y, int32_t n,
                                            int32_t *planes, const pl_dwt_params *p)
{
    const int32_t in_c = p->in_c;
    for (int32_t x = 0, run; x < p->out_w; x += run) {
        run = p->out_w - x < p->chunk ? p->out_w - x : p->chunk;
        for (int32_t at = 0; at < in_c; at += 4) {
            /* The last four channels may overlap those before. */
            const int32_t c = at + 4 <= in_c ? at : in_c - 4;
            pl_dw_planes(planes, PL_DW_PAIR, rows, n + 4, c, x - p->pad_left,
                         (run + 5) / 2, p->in_w, in_c, p->zero);
            const pl_dwt_job job =
                pl_dwt_job_of(planes, n, run, p->records + p->record * c, y + x * in_c + c, p);
            pl_dwt_run_5x5(&job);
        }
    }
}
