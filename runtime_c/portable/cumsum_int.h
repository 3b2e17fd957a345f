#pragma once
#include "typed.h"

/* Running sums (or products) of integers along the middle dimension of x [outer, size, inner], in
 * 64 bits, wrapped to the type.
 *
 *   y[o, k, i] = x[o, 0, i] + ... + x[o, k, i]
 *
 * exclusive: without x[o, k, i]; reverse: from the end
 * Aliasing: y may be x. No scratch.
 */
static PL_INLINE void pl_cumsum_int(const uint8_t *x, uint8_t *y, int32_t outer, int32_t size,
                                    int32_t inner, pl_type type, int exclusive, int reverse,
                                    int product)
{
    for (int32_t o = 0; o < outer; o++) {
        for (int32_t i = 0; i < inner; i++) {
            uint64_t total = product ? 1u : 0u;
            for (int32_t k = 0; k < size; k++) {
                const int32_t at = (o * size + (reverse ? size - 1 - k : k)) * inner + i;
                const uint64_t before = total, v = (uint64_t)pl_load(x, at, type);
                total = product ? total * v : total + v;
                pl_store(y, at, type, (int64_t)(exclusive ? before : total));
            }
        }
    }
}
