#pragma once
#include "common.h"
#include <math.h>

/* y[i] = tanh(x[i]), n floats. Aliasing: y may be x. No scratch. Uses tanhf of libm. */
static void pl_tanh_f32(const float *x, float *y, int32_t n)
{
    for (int32_t i = 0; i < n; i++) {
        y[i] = tanhf(x[i]);
    }
}
