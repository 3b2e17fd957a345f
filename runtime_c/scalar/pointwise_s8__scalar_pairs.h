#pragma once
#include "gather_pairs.h"
#include "pairs_channels.h"

/* 1x1 convolution of int8 over a run of pixels, two pixels per multiplication, four pixels at a
 * time.
 *
 *   y[i][oc] = clamp(requantize(bias[oc] + sum over ic of x[i][ic] * weights[oc][ic])),  i < pixels
 *
 * x        [pixels][in_c]; y [pixels][out_c]; they must not overlap
 * scratch  8 * in_c bytes, aligned to 4
 * Contract as pl_pointwise_s8.
 */
static void pl_pointwise_s8__scalar_pairs(const int8_t *x, int8_t *y, int32_t pixels,
                                          uint32_t *scratch, const pl_pairs_channels *p)
{
    const int32_t in_c = p->k;
    for (; pixels > 0; pixels -= 4, x += 4 * in_c, y += 4 * p->out_c) {
        const int32_t n = pixels < 4 ? pixels : 4;
        if (n > 2) {
            pl_gather_pairs(scratch, 2, x, x + in_c, in_c);
            pl_gather_pairs(scratch + 1, 2, x + 2 * in_c, x + (n - 1) * in_c, in_c);
        } else {
            pl_gather_pairs(scratch, 1, x, x + (n - 1) * in_c, in_c);
        }
        pl_pairs_channels_s8(scratch, y, n, p);
    }
}
