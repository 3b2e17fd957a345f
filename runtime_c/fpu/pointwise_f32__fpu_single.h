#pragma once
#include "pixel_f32.h"

/* 1x1 convolution, and fully-connected, of float32 over a run of pixels, one at a time.
 *
 *   y[i][oc] = clamp(bias[oc] + sum over ic of x[i][ic] * weights[oc / 4][ic][oc % 4]),  i < pixels
 *
 * x        [pixels][in_c]; y [pixels][out_c]; they must not overlap
 * No scratch. Order of additions: ic ascending, from 0; the bias last.
 */
typedef struct {
    int32_t in_c;
    const float *weights; /* [ceil(out_c / 4)][in_c][4], zeros behind the last channel */
    pl_ends_f32 ends;
} pl_pointwise_f32__fpu_single_params;

static void pl_pointwise_f32__fpu_single(const float *x, float *y, int32_t pixels,
                                         const pl_pointwise_f32__fpu_single_params *p)
{
    for (; pixels > 0; pixels--, x += p->in_c, y += p->ends.out_c) {
        pl_pixel_f32(x, p->weights, p->in_c, y, &p->ends);
    }
}
