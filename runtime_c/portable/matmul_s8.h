#pragma once
#include "matmul_s8_loop.h"

/* A sum requantized as TFLite does. */
static inline int8_t pl_finish_matmul_s8(int32_t sum, const pl_matmul_s8_params *p)
{
    const int32_t q = pl_requantize(sum, p->multiplier, p->shift, p->zero_y);
    return (int8_t)pl_clamp(q, INT8_MIN, INT8_MAX);
}

/* See the loop for formula, shapes, aliasing and bounds. */
static void pl_matmul_s8(const int8_t *a, const int8_t *b, int8_t *y, const pl_matmul_s8_params *p)
{
    pl_matmul_s8_loop(a, b, y, p, pl_finish_matmul_s8);
}
