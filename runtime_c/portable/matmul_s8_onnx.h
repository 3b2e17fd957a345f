#pragma once
#include "matmul_s8_loop.h"
#include "nearest_even.h"

/* A sum under an ONNX rounding: float32(sum) * factor to the nearest integer, ties to even. */
static inline int8_t pl_finish_matmul_s8_onnx(int32_t sum, const pl_matmul_s8_params *p)
{
    const float low = (float)(INT8_MIN - p->zero_y), high = (float)(INT8_MAX - p->zero_y);
    float factor;
    memcpy(&factor, &p->multiplier, sizeof factor);
    const float v = (float)sum * factor;
    return (int8_t)(pl_clamped_nearest_even(v, low, high) + p->zero_y);
}

/* As the kernel without the suffix, under an ONNX rounding. */
static void pl_matmul_s8_onnx(const int8_t *a, const int8_t *b, int8_t *y,
                              const pl_matmul_s8_params *p)
{
    pl_matmul_s8_loop(a, b, y, p, pl_finish_matmul_s8_onnx);
}
