#pragma once
#include "clamp_f32.h"
#include "common.h"
#include <math.h>

/* y[i] = clamp(x[i], low, high), n floats. Aliasing: y may be x. No scratch. */
static void pl_relu_f32(const float *x, float *y, int32_t n, float low, float high)
{
    for (int32_t i = 0; i < n; i++) {
        y[i] = pl_clamp_f32(x[i], low, high);
    }
}
