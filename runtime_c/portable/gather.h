#pragma once
#include "typed.h"

/* Slices of `bytes` bytes of x [outer, size] at `count` indices of the second dimension.
 *
 *   y[o, c] = x[o, indices[c]]
 *
 * Indices are settled as pl_index says. y must not overlap x or indices. No scratch.
 */
static PL_INLINE void pl_gather(const uint8_t *x, const uint8_t *indices, uint8_t *y, int32_t outer,
                                int32_t size, int32_t count, int32_t bytes, pl_type index_type)
{
    for (int32_t o = 0; o < outer; o++, x += (ptrdiff_t)size * bytes) {
        for (int32_t c = 0; c < count; c++, y += bytes) {
            const int32_t i = pl_index(indices, c, index_type, size);
            memcpy(y, x + (ptrdiff_t)i * bytes, (size_t)bytes);
        }
    }
}
