#pragma once
#include "softmax_exp.h"

/* Softmax of int8 [rows][depth] to int8; see softmax_exp.h. Aliasing: y may be x. No scratch. */
static void pl_softmax_s8(const int8_t *x, int8_t *y, const pl_softmax_s8_params *p)
{
    for (int32_t row = 0; row < p->rows; row++, x += p->depth, y += p->depth) {
        int32_t scale, shift;
        const int32_t largest = pl_softmax_s8_row(x, 8, p, &scale, &shift);
        for (int32_t c = 0; c < p->depth; c++) {
            const int32_t share = pl_softmax_s8_share(largest - x[c], scale, shift, p);
            y[c] = (int8_t)pl_clamp(share + INT8_MIN, INT8_MIN, INT8_MAX);
        }
    }
}
