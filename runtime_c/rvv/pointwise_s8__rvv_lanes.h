#pragma once
#include "lanes_s8_rvv.h"

/* 1x1 convolution, and fully-connected, of int8 over a run of pixels, with vectors of pixels.
 *
 *   y[i][oc] = clamp(requantize(bias[oc] + sum over ic of x[i][ic] * weights[oc][ic])),  i < pixels
 *
 * x [pixels][k]; y [pixels][out_c]; they must not overlap. p->step is k. No scratch.
 * Contract as pl_pointwise_s8.
 */
static void pl_pointwise_s8__rvv_lanes(const int8_t *x, int8_t *y, int32_t pixels,
                                       const pl_lanes_rvv_params *p)
{
    pl_segments_rvv s;
    s.count = 1;
    s.at[0].offset = s.at[0].first = 0;
    s.at[0].n = p->k;
    s.at[0].fours = p->k & ~3;
    for (int32_t lanes; pixels > 0; pixels -= lanes, x += lanes * p->k, y += lanes * p->out_c) {
        const void *rows[1] = {x};
        lanes = pl_lanes_rvv(pixels);
        s.at[0].count = lanes;
        pl_groups_s8_rvv(rows, 1, &s, lanes, y, p);
    }
}
