#pragma once
#include "common.h"

/* Products of int16 and int8 are at most 2^22, so int32 holds the sum of this many. */
enum { PL_S16_RUN = 256 };

/* acc[j] += sum over i < n of x[i] * w[j * pitch + i], for four output channels j at once.
 * Bounds: partial sums of PL_S16_RUN products stay within 2^30; the caller proves |acc| < 2^47.
 */
static inline void pl_dot4_s16(const int16_t *x, const int8_t *w, int32_t pitch, int32_t n,
                               int64_t acc[4])
{
    const int8_t *w0 = w, *w1 = w0 + pitch, *w2 = w1 + pitch, *w3 = w2 + pitch;
    for (int32_t run; n > 0; n -= run) {
        run = n < PL_S16_RUN ? n : PL_S16_RUN;
        int32_t a0 = 0, a1 = 0, a2 = 0, a3 = 0;
        for (const int16_t *end = x + run; x < end; x++) {
            const int32_t v = *x;
            a0 += v * *w0++;
            a1 += v * *w1++;
            a2 += v * *w2++;
            a3 += v * *w3++;
        }
        acc[0] += a0;
        acc[1] += a1;
        acc[2] += a2;
        acc[3] += a3;
    }
}

/* sum over i < n of x[i] * w[i], added to acc. */
static inline int64_t pl_dot_s16(const int16_t *x, const int8_t *w, int32_t n, int64_t acc)
{
    for (int32_t run; n > 0; n -= run) {
        run = n < PL_S16_RUN ? n : PL_S16_RUN;
        int32_t a = 0;
        for (const int16_t *end = x + run; x < end; x++) {
            a += *x * *w++;
        }
        acc += a;
    }
    return acc;
}
