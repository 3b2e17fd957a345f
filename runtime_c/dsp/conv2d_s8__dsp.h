#pragma once
#include "conv2d_dsp.h"
#include "gemm_s8__dsp.h"

/* Convolution: see conv2d_dsp.h. */
static void pl_conv2d_s8__dsp(const void *const *rows, int8_t *y, int32_t n, int32_t *scratch,
                              const pl_conv2d_dsp_params *p)
{
    pl_conv2d_dsp_run(rows, y, n, scratch, p, pl_gemm4_s8__dsp, pl_gemm3_s8__dsp);
}
