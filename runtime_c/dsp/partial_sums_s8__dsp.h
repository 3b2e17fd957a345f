#pragma once
#include "partial_sums_dsp.h"

/* Variant "lanes" of gemm_dsp.h: blocks of 4 pixels, and of 3. */
static PL_NOINLINE void pl_partial4_s8__dsp(const pl_gemm_dsp_args *a)
{
    PL_PARTIAL_RUN(PL_PARTIAL4("25", PL_GEMM_UNPACK_LANES, PL_GEMM_SPLIT4, ", asr #8"), 4, 0);
}

static PL_NOINLINE void pl_partial3_s8__dsp(const pl_gemm_dsp_args *a)
{
    PL_PARTIAL_RUN(PL_PARTIAL3("22", PL_GEMM_UNPACK_LANES, PL_GEMM_SPLIT3, ", asr #8"), 3, 0);
}

/* See partial_sums_dsp.h. */
static void pl_partial_sums_s8__dsp(const int8_t *x, int32_t *y, int32_t pixels, int32_t *scratch,
                                    const pl_partial_sums_dsp_params *p)
{
    pl_partial_sums_dsp_run(x, y, pixels, scratch, p, 0, pl_partial4_s8__dsp, pl_partial3_s8__dsp);
}
