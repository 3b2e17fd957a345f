#pragma once
#include "common.h"

/* acc[j] += sum over i < n of x[i] * w[j * pitch + i], for four output channels j at once.
 * Order of additions: i ascending.
 */
static inline void pl_dot4_f32(const float *x, const float *w, int32_t pitch, int32_t n,
                               float acc[4])
{
    const float *w0 = w, *w1 = w0 + pitch, *w2 = w1 + pitch, *w3 = w2 + pitch;
    float a0 = acc[0], a1 = acc[1], a2 = acc[2], a3 = acc[3];
    for (const float *end = x + n; x < end; x++) {
        const float v = *x;
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

/* sum over i < n of x[i] * w[i], i ascending, added to acc. */
static inline float pl_dot_f32(const float *x, const float *w, int32_t n, float acc)
{
    for (const float *end = x + n; x < end; x++) {
        acc += *x * *w++;
    }
    return acc;
}
