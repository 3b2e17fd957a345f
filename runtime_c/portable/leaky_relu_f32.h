#pragma once
#include "common.h"

/* y[i] = x[i] > 0 ? x[i] : x[i] * alpha, n floats. Aliasing: y may be x. No scratch. */
static void pl_leaky_relu_f32(const float *x, float *y, int32_t n, float alpha)
{
    for (int32_t i = 0; i < n; i++) {
        y[i] = x[i] > 0.0f ? x[i] : x[i] * alpha;
    }
}
