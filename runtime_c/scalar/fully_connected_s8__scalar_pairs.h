#pragma once
#include "pairs.h"
#include "output_run_s8.h"

/* Fully-connected, and 1x1 convolution, of int8 with two output channels per multiplication.
 *
 *   y[i][oc] = clamp(requantize(bias[oc] + sum over ic of x[i][ic] * weights[oc][ic])),  i < pixels
 *
 * weights  pairs of output channels in words, [groups of four channels][in_c][2], channels that do
 *          not exist having zeros; twice the flash of bytes
 * chunks   one list per group
 * x        [pixels][in_c]; y [pixels][out_c]; they must not overlap
 * No scratch. Contract as pl_pointwise_s8.
 */
typedef struct {
    int32_t in_c, out_c;
    pl_outputs_s8 outputs;
    const int32_t *weights;
    const uint8_t *chunks;
} pl_fully_connected_s8__scalar_pairs_params;

static void pl_fully_connected_s8__scalar_pairs(const int8_t *x, int8_t *y, int32_t pixels,
                                                const pl_fully_connected_s8__scalar_pairs_params *p)
{
    const int32_t in_c = p->in_c, out_c = p->out_c;
    for (; pixels > 0; pixels--, x += in_c, y += out_c) {
        const uint8_t *chunks = p->chunks;
        const uint32_t *words = (const uint32_t *)p->weights;
        for (int32_t c = 0; c < out_c; c += 4, words += 2 * in_c) {
            int32_t acc[4];
            chunks = pl_dot_pairs2(words, x, chunks, acc);
            pl_output_run_s8(y + c, acc, out_c - c < 4 ? out_c - c : 4,
                             p->outputs.channels + 4 * c, &p->outputs);
        }
    }
}
