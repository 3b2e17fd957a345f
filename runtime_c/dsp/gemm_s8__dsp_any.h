#pragma once
#include "gemm_dsp.h"

/* Variant "any" of gemm_dsp.h: blocks of 4 pixels, and of 3. */
static PL_NOINLINE void pl_gemm4_s8__dsp_any(const pl_gemm_dsp_args *a)
{
    PL_GEMM_RUN(PL_GEMM4("27", PL_GEMM_UNPACK_ANY, "", PL_GEMM_OUT, "lsl #1"),
                4, 1, 0);
}

static PL_NOINLINE void pl_gemm3_s8__dsp_any(const pl_gemm_dsp_args *a)
{
    PL_GEMM_RUN(PL_GEMM3("24", PL_GEMM_UNPACK_ANY, "", PL_GEMM_OUT, "lsl #1"),
                3, 1, 0);
}
