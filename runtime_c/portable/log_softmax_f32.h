#pragma once
#include "common.h"
#include <math.h>

/* Logarithm of the softmax of floats along the middle axis, with v = beta * (x - max(x)):
 *   y = v - log(sum of exp(v))
 * x, y [outer][depth][inner]. Aliasing: y may be x. No scratch. Uses expf and logf of libm.
 */
static void pl_log_softmax_f32(const float *x, float *y, int32_t outer, int32_t depth,
                               int32_t inner, float beta)
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
                y[c] = (x[c] - largest) * beta;
                total += expf(y[c]);
            }
            const float offset = logf(total);
            for (ptrdiff_t c = i; c < end; c += inner) {
                y[c] -= offset;
            }
        }
    }
}
