#pragma once
#include "typed.h"

/* Where the largest (or smallest) element along the middle dimension of x [outer, size, inner] is.
 *
 *   y[o, i] = the k whose x[o, k, i] is the most; of equal ones the first, or the last
 *
 * type of x, index_type of y (PL_S32 or PL_S64). y must not overlap x. No scratch.
 */
static PL_INLINE void pl_arg_reduce(const uint8_t *x, uint8_t *y, int32_t outer, int32_t size,
                                    int32_t inner, pl_type type, pl_type index_type, int largest,
                                    int last)
{
    for (int32_t o = 0; o < outer; o++) {
        for (int32_t i = 0; i < inner; i++) {
            const int32_t start = o * size * inner + i;
            int32_t best = 0;
            for (int32_t k = 1; k < size; k++) {
                const int32_t here = start + k * inner, there = start + best * inner;
                const int better =
                    largest ? pl_less(x, there, x, here, type) : pl_less(x, here, x, there, type);
                best = better || (last && pl_same(x, here, x, there, type)) ? k : best;
            }
            pl_store(y, o * inner + i, index_type, best);
        }
    }
}
