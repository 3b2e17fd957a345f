#pragma once
#include "layer_normalization.h"

/* Layer normalization of int8, rows of n elements; the arithmetic is in layer_normalization.h.
 * x, y [rows][n]. Aliasing: y may be x. No scratch.
 */
static void pl_layer_normalization_s8(const int8_t *x, int8_t *y,
                                      const pl_layer_normalization_params *p)
{
    for (int32_t row = 0; row < p->rows; row++, x += p->n, y += p->n) {
        int32_t sum = 0;
        int64_t squares = 0;
        for (int32_t i = 0; i < p->n; i++) {
            const int32_t c = x[i] - p->zero_x;
            sum += c;
            squares += (int64_t)c * c;
        }
        const pl_layer_normal normal = pl_layer_normal_of(p->centred ? sum : 0, squares, p);
        for (int32_t i = 0; i < p->n; i++) {
            const int32_t v = pl_layer_normal_apply(x[i] - p->zero_x, i, &normal, p);
            y[i] = (int8_t)pl_clamp(v, INT8_MIN, INT8_MAX);
        }
    }
}
