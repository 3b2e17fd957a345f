#pragma once
#include "mean_s8_loop.h"

/* A sum requantized as TFLite does. */
static inline int8_t pl_finish_mean_s8(int32_t sum, const pl_mean_s8_params *p)
{
    const int32_t mean = pl_requantize(sum, p->multiplier, p->shift, p->zero_y);
    return (int8_t)pl_clamp(mean, INT8_MIN, INT8_MAX);
}

/* See the loop for formula, shapes, aliasing and bounds. */
static void pl_mean_s8(const int8_t *x, int8_t *y, const pl_mean_s8_params *p)
{
    pl_mean_s8_loop(x, y, p, pl_finish_mean_s8);
}
