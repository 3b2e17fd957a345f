#pragma once
#include "gemm_s8__dsp_relu.h"
#include "pointwise_dsp.h"

/* 1x1 convolution: see pointwise_dsp.h. Its lower clamp is at least the zero point. */
static void pl_pointwise_s8__dsp_relu(const int8_t *x, int8_t *y, int32_t pixels, int32_t *scratch,
                                      const pl_pointwise_dsp_params *p)
{
    pl_pointwise_dsp_run(x, y, pixels, scratch, p, pl_gemm4_s8__dsp_relu, pl_gemm3_s8__dsp_relu);
}
