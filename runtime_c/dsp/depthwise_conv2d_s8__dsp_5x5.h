#pragma once
#include "depthwise_square.h"

/* Depthwise 5x5 convolution of int8, stride 1: see depthwise_square.h, with at most PL_DW_LINES
 * rows and PL_DW_PAIR words for each pair of columns.
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
    pl_dwt_square(rows, y, n, planes, PL_DW_PAIR, 5, pl_dwt_run_5x5, p);
}
