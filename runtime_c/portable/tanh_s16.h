#pragma once
#include "sigmoid_s16.h"

/* tanh of n int16 elements with zero point 0; y has scale 2^-15 and zero point 0.
 *
 * tanh(v) = 2 sigmoid(2v) - 1 by the sigmoid table, read twice as far out; tanh(-v) = -tanh(v).
 * Aliasing: y may be x. No scratch.
 */
static void pl_tanh_s16(const int16_t *x, int16_t *y, int32_t n, const pl_sigmoid_s16_params *p)
{
    for (int32_t i = 0; i < n; i++) {
        const int32_t v = pl_sigmoid_s16_argument(x[i], p);
        const int32_t s = pl_sigmoid_s16((uint32_t)(v < 0 ? -v : v), 8, 0xFFFF << 8, p->table);
        y[i] = (int16_t)((v >= 0 ? s - (1 << 23) + 128 : (1 << 23) - s + 127) >> 8);
    }
}
