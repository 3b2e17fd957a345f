#pragma once
#include "softmax_exp.h"

/* Softmax of int8 [rows][depth] to int16; see softmax_exp.h. Aliasing: none. No scratch. */
static void pl_softmax_s8_s16(const int8_t *x, int16_t *y, const pl_softmax_s8_params *p)
{
    for (int32_t row = 0; row < p->rows; row++, x += p->depth, y += p->depth) {
        int32_t scale, shift;
        const int32_t largest = pl_softmax_s8_row(x, 16, p, &scale, &shift);
        for (int32_t c = 0; c < p->depth; c++) {
            const int32_t share = pl_softmax_s8_share(largest - x[c], scale, shift, p);
            y[c] = (int16_t)pl_clamp(share + INT16_MIN, INT16_MIN, INT16_MAX);
        }
    }
}
