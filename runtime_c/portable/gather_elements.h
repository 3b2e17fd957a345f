#pragma once
#include "mean.h"
#include "typed.h"

/* Single elements of `bytes` bytes, each at its own index of one dimension of x.
 *
 *   y[i] = x[offset of i without that dimension + indices[i] * stride], n elements
 *
 * dims    (count, stride in x) of the dimensions of indices, innermost first, stride 0 for the one
 * size    of that dimension in x
 * Indices are settled as pl_index says. y must not overlap x or indices. No scratch.
 */
typedef struct {
    int32_t n, size, stride, rank;
    const int32_t *dims; /* [rank][2] */
} pl_gather_elements_params;

static PL_INLINE void pl_gather_elements(const uint8_t *x, const uint8_t *indices, uint8_t *y,
                                         int32_t bytes, pl_type index_type,
                                         const pl_gather_elements_params *p)
{
    for (int32_t i = 0; i < p->n; i++, y += bytes) {
        const int32_t at = pl_offset(p->dims, p->rank, i) +
                           pl_index(indices, i, index_type, p->size) * p->stride;
        memcpy(y, x + (ptrdiff_t)at * bytes, (size_t)bytes);
    }
}
