#pragma once
#include "common.h"
#include <math.h>

/* y[i] = 1 / (1 + exp(-x[i])), n floats. Aliasing: y may be x. No scratch. Uses expf of libm. */
static void pl_logistic_f32(const float *x, float *y, int32_t n)
{
    for (int32_t i = 0; i < n; i++) {
        y[i] = 1.0f / (1.0f + expf(-x[i]));
    }
}
