#pragma once
#include "pixels4_f32.h"

/* 1x1 convolution, and fully-connected, of float32 over a run of pixels, four at a time.
 *
 *   y[i][oc] = clamp(bias[oc] + sum over ic of x[i][ic] * weights[oc / 4][ic][oc % 4]),  i < pixels
 *
 * x        [pixels][in_c]; y [pixels][out_c]; they must not overlap
 * scratch  [in_c][4] floats; not used with fewer than 4 pixels
 * Order of additions: ic ascending, from 0; the bias last.
 */
typedef struct {
    int32_t in_c;
    const float *weights; /* [ceil(out_c / 4)][in_c][4], zeros behind the last channel */
    pl_ends_f32 ends;
} pl_pointwise_f32__fpu_params;

static void pl_pointwise_f32__fpu(const float *x, float *y, int32_t pixels, float *scratch,
                                  const pl_pointwise_f32__fpu_params *p)
{
    const int32_t n = p->in_c, out_c = p->ends.out_c;
    for (; pixels >= 4; pixels -= 4, x += 4 * n, y += 4 * out_c) {
        for (int32_t i = 0; i < 4; i++) {
            pl_spread_f32(x + i * n, n, scratch + i, 4);
        }
        pl_pixels4_f32(scratch, p->weights, n, y, &p->ends);
    }
    for (; pixels > 0; pixels--, x += n, y += out_c) {
        pl_pixel_f32(x, p->weights, n, y, &p->ends);
    }
}
