#pragma once
#include "typed.h"

/* Slices of `bytes` bytes of x at positions that tuples of `depth` indices give.
 *
 *   y[t] = x[t / per_batch][*indices[t]], tuples of them
 *
 * batch_bytes  from one batch of x to the next
 * dims         (size, pitch in bytes) of the dimensions the indices are for
 * Indices are settled as pl_index says. y must not overlap x or indices. No scratch.
 */
typedef struct {
    int32_t tuples, per_batch, batch_bytes, depth, bytes;
    const int32_t *dims; /* [depth][2] */
} pl_gather_nd_params;

static PL_INLINE void pl_gather_nd(const uint8_t *x, const uint8_t *indices, uint8_t *y,
                                   pl_type index_type, const pl_gather_nd_params *p)
{
    for (int32_t t = 0; t < p->tuples; t++, y += p->bytes) {
        const uint8_t *from = x + (ptrdiff_t)(t / p->per_batch) * p->batch_bytes;
        for (int32_t d = 0; d < p->depth; d++) {
            const int32_t i = pl_index(indices, t * p->depth + d, index_type, p->dims[2 * d]);
            from += (ptrdiff_t)i * p->dims[2 * d + 1];
        }
        memcpy(y, from, (size_t)p->bytes);
    }
}
