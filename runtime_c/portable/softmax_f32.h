#pragma once
#include "common.h"
#include <math.h>

/* Softmax of floats along the last axis: y = exp(beta * (x - max(x))) / sum of those.
 * x, y [rows][depth]. Aliasing: y may be x. No scratch. Uses expf of libm.
 */
static void pl_softmax_f32(const float *x, float *y, int32_t rows, int32_t depth, float beta)
{
    for (int32_t row = 0; row < rows; row++, x += depth, y += depth) {
        float largest = x[0];
        for (int32_t c = 1; c < depth; c++) {
            largest = x[c] > largest ? x[c] : largest;
        }
        float total = 0.0f;
        for (int32_t c = 0; c < depth; c++) {
            y[c] = expf((x[c] - largest) * beta);
            total += y[c];
        }
        for (int32_t c = 0; c < depth; c++) {
            y[c] /= total;
        }
    }
}
