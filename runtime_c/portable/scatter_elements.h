#pragma once
#include "mean.h"
#include "scatter.h"

/* Single elements of y that updates meet, each at its own index of one dimension.
 *
 *   y[at] = y[at] (reduction) updates[i],
 *   at = offset of i without that dimension + indices[i] * stride, for i < n in order
 *
 * dims    (count, stride in y) of the dimensions of indices, innermost first, stride 0 for the one
 * size    of that dimension in y
 * Indices are settled as pl_index says. y holds the data before; it must not overlap indices or
 * updates. No scratch.
 */
typedef struct {
    int32_t n, size, stride, rank;
    const int32_t *dims; /* [rank][2] */
} pl_scatter_elements_params;

static PL_INLINE void pl_scatter_elements(const uint8_t *indices, const uint8_t *updates,
                                          uint8_t *y, pl_type index_type, pl_type type,
                                          pl_scatter reduction,
                                          const pl_scatter_elements_params *p)
{
    for (int32_t i = 0; i < p->n; i++) {
        const int32_t at = pl_offset(p->dims, p->rank, i) +
                           pl_index(indices, i, index_type, p->size) * p->stride;
        pl_scatter_one(y, at, updates, i, type, reduction);
    }
}
