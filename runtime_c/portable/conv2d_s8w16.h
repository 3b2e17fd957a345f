#pragma once
#include "conv2d_s8w16_loop.h"
#include "store_s8.h"

/* See the loop for formula, shapes, aliasing and bounds. */
static void pl_conv2d_s8w16(const void *const *rows, int8_t *y, const pl_conv2d_s8w16_params *p)
{
    pl_conv2d_s8w16_loop(rows, y, p, pl_store_s8);
}
