#pragma once
#include "sigmoid_s16.h"

/* Sigmoid of n int16 elements with zero point 0; y has scale 2^-15 and zero point 0.
 *
 * By a table of sigmoid on [0, 255/24] with linear interpolation; sigmoid(-v) = 1 - sigmoid(v).
 * Aliasing: y may be x. No scratch.
 */
static void pl_logistic_s16(const int16_t *x, int16_t *y, int32_t n, const pl_sigmoid_s16_params *p)
{
    for (int32_t i = 0; i < n; i++) {
        const int32_t v = pl_sigmoid_s16_argument(x[i], p);
        const int32_t s = pl_sigmoid_s16((uint32_t)(v < 0 ? -v : v), 9, 0x7FFF << 10, p->table);
        y[i] = (int16_t)((v >= 0 ? s + 512 : (1 << 25) - s + 511) >> 10);
    }
}
