#pragma once
#include "conv2d_s8w16_loop.h"
#include "store_s8_onnx.h"

/* As the kernel without the suffix, under an ONNX rounding. */
static void pl_conv2d_s8w16_onnx(const void *const *rows, int8_t *y,
                                 const pl_conv2d_s8w16_params *p)
{
    pl_conv2d_s8w16_loop(rows, y, p, pl_store_s8_onnx);
}
