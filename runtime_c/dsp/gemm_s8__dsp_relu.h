#pragma once
#include "gemm_dsp.h"

/* Variant "relu" of gemm_dsp.h: blocks of 4 pixels, and of 3. */
static PL_NOINLINE void pl_gemm4_s8__dsp_relu(const pl_gemm_dsp_args *a)
{
    PL_GEMM_RUN(PL_GEMM4("25", PL_GEMM_UNPACK_LANES, PL_GEMM_SPLIT4, PL_GEMM_OUT_RELU, "asr #7"),
                4, 0, 1);
}

static PL_NOINLINE void pl_gemm3_s8__dsp_relu(const pl_gemm_dsp_args *a)
{
    PL_GEMM_RUN(PL_GEMM3("22", PL_GEMM_UNPACK_LANES, PL_GEMM_SPLIT3, PL_GEMM_OUT_RELU, "asr #7"),
                3, 0, 1);
}
