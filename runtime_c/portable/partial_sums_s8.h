#pragma once
#include "copy.h"
#include "dot_s8.h"
#include "sums_s32.h"

/* A 1x1 convolution, or a matrix product, of int8 over some of its input channels, without bias:
 *
 *   y[i][oc] (+)= sum over ic of x[i][ic] * weights[oc][ic],  i < pixels
 *
 * x        [pixels][in_c]; y int32 [pixels][out_c]; they must not overlap
 * accumulate   the products are added to what is in y, modulo 2^32
 * No scratch. Bounds: |sum of the products| < 2^30 for any input (proven when the code was
 * generated).
 */
typedef struct {
    int32_t in_c, out_c, accumulate;
    const int8_t *weights; /* [out_c][in_c] */
} pl_partial_sums_s8_params;

static void pl_partial_sums_s8(const int8_t *x, int32_t *y, int32_t pixels,
                               const pl_partial_sums_s8_params *p)
{
    const int32_t in_c = p->in_c, out_c = p->out_c;
    for (; pixels > 0; pixels--, x += in_c) {
        const int8_t *w = p->weights;
        int32_t oc = 0;
        for (; oc + 4 <= out_c; oc += 4, w += 4 * in_c, y += 4) {
            int32_t acc[4] = {0};
            pl_dot4_s8(x, w, in_c, in_c, acc);
            pl_add_sums(y, acc, 4, p->accumulate);
        }
        for (; oc < out_c; oc++, w += in_c, y++) {
            const int32_t acc = pl_dot_s8(x, w, in_c, 0);
            pl_add_sums(y, &acc, 1, p->accumulate);
        }
    }
}
