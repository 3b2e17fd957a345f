#pragma once
#include "common.h"

/* acc[j] += sum over i < n of x[i] * w[j * pitch + i], for four output channels j at once, so that
 * each activation is loaded once. Bounds: the caller proves |acc| < 2^31 throughout.
 */
static inline void pl_dot4_s8(const int8_t *x, const int8_t *w, int32_t pitch, int32_t n,
                              int32_t acc[4])
{
    const int8_t *w0 = w, *w1 = w0 + pitch, *w2 = w1 + pitch, *w3 = w2 + pitch;
    int32_t a0 = acc[0], a1 = acc[1], a2 = acc[2], a3 = acc[3];
    for (const int8_t *end = x + n; x < end; x++) {
        const int32_t v = *x;
        a0 += v * *w0++;
        a1 += v * *w1++;
        a2 += v * *w2++;
        a3 += v * *w3++;
    }
    acc[0] = a0;
    acc[1] = a1;
    acc[2] = a2;
    acc[3] = a3;
}

/* sum over i < n of x[i] * w[i], added to acc. */
static inline int32_t pl_dot_s8(const int8_t *x, const int8_t *w, int32_t n, int32_t acc)
{
    for (const int8_t *end = x + n; x < end; x++) {
        acc += *x * *w++;
    }
    return acc;
}
