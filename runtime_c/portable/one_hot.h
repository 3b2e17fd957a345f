#pragma once
#include "typed.h"

/* Indices [outer, inner] as vectors of `depth` elements of `bytes` bytes.
 *
 *   y[o, d, i] = values[1] where indices[o, i] is d or d - depth, else values[0]
 *
 * y must not overlap values or indices. No scratch.
 */
static PL_INLINE void pl_one_hot(const uint8_t *indices, const uint8_t *values, uint8_t *y,
                                 int32_t outer, int32_t depth, int32_t inner, int32_t bytes,
                                 pl_type index_type)
{
    for (int32_t o = 0; o < outer; o++) {
        for (int32_t d = 0; d < depth; d++) {
            for (int32_t i = 0; i < inner; i++, y += bytes) {
                const int64_t index = pl_load(indices, o * inner + i, index_type);
                const int on = index == d || index == (int64_t)d - depth;
                memcpy(y, values + (on ? bytes : 0), (size_t)bytes);
            }
        }
    }
}
