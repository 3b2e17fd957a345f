#pragma once
#include "depthwise_conv2d_s8_loop.h"
#include "store_s8.h"

/* See the loop for formula, shapes, aliasing and bounds. */
static void pl_depthwise_conv2d_s8(const void *const *rows, int8_t *y,
                                   const pl_depthwise_conv2d_s8_params *p)
{
    pl_depthwise_conv2d_s8_loop(rows, y, p, pl_store_s8);
}
