#pragma once
#include "gemm_s8__dsp_any.h"
#include "pointwise_dsp.h"

/* 1x1 convolution: see pointwise_dsp.h. Any weights. */
static void pl_pointwise_s8__dsp_any(const int8_t *x, int8_t *y, int32_t pixels, int32_t *scratch,
                                     const pl_pointwise_dsp_params *p)
{
    pl_pointwise_dsp_run(x, y, pixels, scratch, p, pl_gemm4_s8__dsp_any, pl_gemm3_s8__dsp_any);
}
