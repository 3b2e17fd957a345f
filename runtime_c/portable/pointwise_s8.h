#pragma once
#include "pointwise_s8_loop.h"
#include "store_s8.h"

/* See the loop for formula, shapes, aliasing and bounds. */
static void pl_pointwise_s8(const int8_t *x, int8_t *y, int32_t pixels,
                            const pl_pointwise_s8_params *p)
{
    pl_pointwise_s8_loop(x, y, pixels, p, pl_store_s8);
}
