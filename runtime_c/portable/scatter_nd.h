#pragma once
#include "scatter.h"

/* Slices of `width` elements of y that updates meet, at positions that tuples of `depth` indices
 * give.
 *
 *   y[*indices[t]] = y[*indices[t]] (reduction) updates[t], for t < tuples in order
 *
 * dims    (size, pitch in elements) of the dimensions the indices are for
 * Indices are settled as pl_index says. y holds the data before; it must not overlap indices or
 * updates. No scratch.
 */
typedef struct {
    int32_t tuples, depth, width;
    const int32_t *dims; /* [depth][2] */
} pl_scatter_nd_params;

static PL_INLINE void pl_scatter_nd(const uint8_t *indices, const uint8_t *updates, uint8_t *y,
                                    pl_type index_type, pl_type type, pl_scatter reduction,
                                    const pl_scatter_nd_params *p)
{
    for (int32_t t = 0; t < p->tuples; t++) {
        int32_t at = 0;
        for (int32_t d = 0; d < p->depth; d++) {
            const int32_t i = pl_index(indices, t * p->depth + d, index_type, p->dims[2 * d]);
            at += i * p->dims[2 * d + 1];
        }
        for (int32_t i = 0; i < p->width; i++) {
            pl_scatter_one(y, at + i, updates, t * p->width + i, type, reduction);
        }
    }
}
