#pragma once
#include "common.h"

/* y[i] = acc[i], or with `accumulate` y[i] + acc[i] modulo 2^32, i < n. */
static inline void pl_add_sums(int32_t *y, const int32_t *acc, int32_t n, int32_t accumulate)
{
    for (int32_t i = 0; i < n; i++) {
        const uint32_t before = accumulate ? (uint32_t)y[i] : 0u;
        y[i] = (int32_t)(before + (uint32_t)acc[i]);
    }
}
