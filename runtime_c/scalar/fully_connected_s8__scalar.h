#pragma once
#include "output_run_s8.h"

/* Fully-connected, and 1x1 convolution, of int8, four output channels at a time.
 *
 *   y[i][oc] = clamp(requantize(bias[oc] + sum over ic of x[i][ic] * weights[oc][ic])),  i < pixels
 *
 * weights  [groups of four channels][in_c][4], channels that do not exist having zeros
 * x        [pixels][in_c]; y [pixels][out_c]; they must not overlap
 * No scratch. Contract as pl_pointwise_s8.
 */
typedef struct {
    int32_t in_c, out_c;
    pl_outputs_s8 outputs;
    const int8_t *weights;
} pl_fully_connected_s8__scalar_params;

/* acc[i] = sum over t < n of x[t] * w[4 * t + i]. */
static PL_NOINLINE void pl_dot_interleaved4_s8(const int8_t *x, const int8_t *w, int32_t n,
                                               int32_t acc[4])
{
    int32_t a0 = 0, a1 = 0, a2 = 0, a3 = 0;
    const int8_t *end = x + n;
    for (const int8_t *whole = x + (n & ~3); x != whole; x += 4, w += 16) {
        a0 += x[0] * w[0] + x[1] * w[4] + x[2] * w[8] + x[3] * w[12];
        a1 += x[0] * w[1] + x[1] * w[5] + x[2] * w[9] + x[3] * w[13];
        a2 += x[0] * w[2] + x[1] * w[6] + x[2] * w[10] + x[3] * w[14];
        a3 += x[0] * w[3] + x[1] * w[7] + x[2] * w[11] + x[3] * w[15];
    }
    for (; x != end; x++, w += 4) {
        a0 += *x * w[0];
        a1 += *x * w[1];
        a2 += *x * w[2];
        a3 += *x * w[3];
    }
    acc[0] = a0;
    acc[1] = a1;
    acc[2] = a2;
    acc[3] = a3;
}

static void pl_fully_connected_s8__scalar(const int8_t *x, int8_t *y, int32_t pixels,
                                          const pl_fully_connected_s8__scalar_params *p)
{
    const int32_t in_c = p->in_c, out_c = p->out_c;
    for (; pixels > 0; pixels--, x += in_c, y += out_c) {
        const int8_t *w = p->weights;
        for (int32_t c = 0; c < out_c; c += 4, w += 4 * in_c) {
            int32_t acc[4];
            pl_dot_interleaved4_s8(x, w, in_c, acc);
            pl_output_run_s8(y + c, acc, out_c - c < 4 ? out_c - c : 4,
                             p->outputs.channels + 4 * c, &p->outputs);
        }
    }
}
