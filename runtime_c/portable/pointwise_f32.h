#pragma once
#include "clamp_f32.h"
#include "dot_f32.h"

/* 1x1 convolution, and fully-connected, of float32 over a run of pixels.
 *
 *   y[i][oc] = clamp(bias[oc] + sum over ic of x[i][ic] * weights[oc][ic]),  i < pixels
 *
 * x        [pixels][in_c]; y [pixels][out_c]; they must not overlap
 * No scratch. Order of additions: ic ascending, from 0; the bias last.
 */
typedef struct {
    int32_t in_c, out_c;
    float low, high;
    const float *weights; /* [out_c][in_c] */
    const float *bias;    /* [out_c] */
} pl_pointwise_f32_params;

static void pl_pointwise_f32(const float *x, float *y, int32_t pixels,
                             const pl_pointwise_f32_params *p)
{
    for (; pixels > 0; pixels--, x += p->in_c) {
        const float *w = p->weights;
        for (int32_t oc = 0, count; oc < p->out_c; oc += count, w += count * p->in_c) {
            count = p->out_c - oc >= 4 ? 4 : 1;
            float acc[4];
            for (int32_t i = 0; i < count; i++) {
                acc[i] = 0.0f;
            }
            if (count == 4) {
                pl_dot4_f32(x, w, p->in_c, p->in_c, acc);
            } else {
                acc[0] = pl_dot_f32(x, w, p->in_c, acc[0]);
            }
            for (int32_t i = 0; i < count; i++) {
                *y++ = pl_clamp_f32(acc[i] + p->bias[oc + i], p->low, p->high);
            }
        }
    }
}
