#pragma once
#include "common.h"

/* y[i] = x[i], i < bytes. x and y must not overlap. No scratch. */
static inline void pl_copy(uint8_t *y, const uint8_t *x, int32_t bytes)
{
    memcpy(y, x, (size_t)bytes);
}
