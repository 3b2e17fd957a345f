#pragma once
#include "typed.h"

/* Whether x[i] comes before y[j] among the largest (or smallest); not-a-number comes last. */
static PL_INLINE int pl_comes_before(const uint8_t *x, int32_t i, const uint8_t *y, int32_t j,
                                     pl_type type, int largest)
{
    const int last = !pl_same(y, j, y, j, type) && pl_same(x, i, x, i, type);
    return last || (largest ? pl_less(y, j, x, i, type) : pl_less(x, i, y, j, type));
}

/* The k largest (or smallest) elements along the middle dimension of x [outer, size, inner], in
 * that order, of equal ones the first first, and their indices.
 *
 *   values[o, r, i] = x[o, indices[o, r, i], i], r < k
 *
 * type of x and values, index_type of indices (PL_S32 or PL_S64). Elements are inserted into the
 * sorted outputs one after the other. The outputs must not overlap x. No scratch.
 */
static PL_INLINE void pl_top_k(const uint8_t *x, uint8_t *values, uint8_t *indices, int32_t outer,
                               int32_t size, int32_t inner, int32_t k, pl_type type,
                               pl_type index_type, int largest)
{
    const int32_t bytes = pl_type_bytes(type);
    for (int32_t lane = 0; lane < outer * inner; lane++) {
        const int32_t o = lane / inner, i = lane % inner;
        const int32_t first = o * k * inner + i;
        for (int32_t e = 0; e < size; e++) {
            const int32_t from = (o * size + e) * inner + i;
            int32_t r = e < k ? e : k;
            for (; r > 0; r--) {
                const int32_t above = first + (r - 1) * inner;
                if (!pl_comes_before(x, from, values, above, type, largest)) {
                    break;
                }
                if (r < k) {
                    memcpy(values + (ptrdiff_t)(above + inner) * bytes,
                           values + (ptrdiff_t)above * bytes, (size_t)bytes);
                    const int64_t index = pl_load(indices, above, index_type);
                    pl_store(indices, above + inner, index_type, index);
                }
            }
            if (r < k) {
                memcpy(values + (ptrdiff_t)(first + r * inner) * bytes,
                       x + (ptrdiff_t)from * bytes, (size_t)bytes);
                pl_store(indices, first + r * inner, index_type, e);
            }
        }
    }
}
