#pragma once
#include "pairs.h"

/* words[step * i] = pair of a[i] and b[i], i < n. */
static PL_NOINLINE void pl_gather_pairs(uint32_t *words, int32_t step, const int8_t *a,
                                        const int8_t *b, int32_t n)
{
    for (; n >= 4; n -= 4, a += 4, b += 4, words += step) {
        words[0] = pl_pair(a[0], b[0]);
        words += step;
        words[0] = pl_pair(a[1], b[1]);
        words += step;
        words[0] = pl_pair(a[2], b[2]);
        words += step;
        words[0] = pl_pair(a[3], b[3]);
    }
    for (; n > 0; n--, words += step) {
        *words = pl_pair(*a++, *b++);
    }
}
