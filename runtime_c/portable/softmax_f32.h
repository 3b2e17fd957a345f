#pragma once
#include "common.h"
#include <math.h>

/* Softmax of floats along the middle axis: y = exp(beta * (x - max(x))) / sum of those.
 * x, y [outer][depth][inner]. Aliasing: y may be x. No scratch. Uses expf of libm.
 */
static void pl_softmax_f32(const float *x, float *y, int32_t outer, int32_t depth, int32_t inner,
                           float beta)
{
    const ptrdiff_t end = (ptrdiff_t)depth * inner;
    for (int32_t row = 0; row < outer; row++, x += end, y += end) {
        for (int32_t i = 0; i < inner; i++) {
            float largest = x[i];
            for (ptrdiff_t c = i; c < end; c += inner) {
                largest = x[c] > largest ? x[c] : largest;
            }
            float total = 0.0f;
            for (ptrdiff_t c = i; c < end; c += inner) {
                y[c] = expf((x[c] - largest) * beta);
                total += y[c];
            }
            for (ptrdiff_t c = i; c < end; c += inner) {
                y[c] /= total;
            }
        }
    }
}
