#pragma once
#include "transpose_conv_s8_loop.h"
#include "store_s8_onnx.h"

/* As the kernel without the suffix, under an ONNX rounding. */
static void pl_transpose_conv_s8_onnx(const int8_t *x, int8_t *y,
                                      const pl_transpose_conv_s8_params *p)
{
    pl_transpose_conv_s8_loop(x, y, p, pl_store_s8_onnx);
}
