#pragma once
#include "transpose_conv_s8_loop.h"
#include "store_s8_onnx.h"

/* As the kernel without the suffix, under an ONNX rounding. */
static void pl_transpose_conv_s8_onnx(const void *const *rows, int8_t *y, int32_t oy,
                                      const pl_transpose_conv_s8_params *p)
{
    pl_transpose_conv_s8_loop(rows, y, oy, p, pl_store_s8_onnx);
}
