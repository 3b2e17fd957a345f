#pragma once
#include "clamp_f32.h"
#include "common.h"

/* y[i] = x[i] * clamp(x[i] + 3, 0, 6) / 6, n floats. Aliasing: y may be x. No scratch. */
static void pl_hard_swish_f32(const float *x, float *y, int32_t n)
{
    for (int32_t i = 0; i < n; i++) {
        y[i] = x[i] * pl_clamp_f32(x[i] + 3.0f, 0.0f, 6.0f) / 6.0f;
    }
}
