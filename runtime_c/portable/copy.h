#pragma once
#include "common.h"

/* y[i] = x[i], i < bytes. x and y may overlap: a state may be replaced by a part of itself.
 * No scratch.
 */
static inline void pl_copy(uint8_t *y, const uint8_t *x, int32_t bytes)
{
    memmove(y, x, (size_t)bytes);
}
