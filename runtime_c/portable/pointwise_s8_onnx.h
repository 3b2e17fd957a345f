#pragma once
#include "pointwise_s8_loop.h"
#include "store_s8_onnx.h"

/* As the kernel without the suffix, under an ONNX rounding. */
static void pl_pointwise_s8_onnx(const int8_t *x, int8_t *y, int32_t pixels,
                                 const pl_pointwise_s8_params *p)
{
    pl_pointwise_s8_loop(x, y, pixels, p, pl_store_s8_onnx);
}
