#pragma once
#include "partial_sums_dsp.h"

/* Variant "any" of gemm_dsp.h: blocks of 4 pixels, and of 3. */
static PL_NOINLINE void pl_partial4_s8__dsp_any(const pl_gemm_dsp_args *a)
{
    PL_PARTIAL_RUN(PL_PARTIAL4("27", PL_GEMM_UNPACK_ANY, "", ""), 4, 1);
}

static PL_NOINLINE void pl_partial3_s8__dsp_any(const pl_gemm_dsp_args *a)
{
    PL_PARTIAL_RUN(PL_PARTIAL3("24", PL_GEMM_UNPACK_ANY, "", ""), 3, 1);
}

/* See partial_sums_dsp.h. */
static void pl_partial_sums_s8__dsp_any(const int8_t *x, int32_t *y, int32_t pixels,
                                        int32_t *scratch, const pl_partial_sums_dsp_params *p)
{
    pl_partial_sums_dsp_run(x, y, pixels, scratch, p, 1, pl_partial4_s8__dsp_any,
                            pl_partial3_s8__dsp_any);
}
