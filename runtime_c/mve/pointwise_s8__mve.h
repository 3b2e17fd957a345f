#pragma once
#include "block_mve.h"

/* 1x1 convolution, and fully-connected, of int8 over a run of pixels, in blocks of 4 output channels
 * x 4 pixels.
 *
 *   y[i][oc] = clamp(requantize(bias[oc] + sum over ic of x[i][ic] * weights[oc][ic])),  i < pixels
 *
 * x        [pixels][in_c]; y [pixels][out_c]; they must not overlap
 * scratch  where in_c is not a multiple of 16: 32 * chunks bytes, else NULL; inputs are read 16 at a
 *          time, and the last pixels must not be read past their end
 * weights  [groups of channels][chunks][4 channels][16 inputs], filled up with zeros; chunks =
 *          in_c / 16, rounded up
 * Bounds: as pl_pointwise_s8.
 */
typedef struct {
    int32_t in_c, chunks;
    pl_mve_channels channels;
    const int8_t *weights;
} pl_pointwise_s8__mve_params;

static void pl_pointwise_s8__mve(const int8_t *x, int8_t *y, int32_t pixels, int8_t *scratch,
                                 const pl_pointwise_s8__mve_params *p)
{
    const int32_t in_c = p->in_c, out_c = p->channels.count, inputs = 16 * p->chunks;
    /* Of the last pixels, `inputs` elements reach behind the end. */
    const int32_t near = in_c % 16 == 0 ? 0 : pl_mve_next(pixels, (inputs - 1) / in_c);
    const int32_t quads = (pixels - near) >> 2, whole = 4 * quads, clear = pixels - near;
    pl_mve_block b = pl_mve_new_block(&p->channels, p->chunks);
    pl_mve_pixels(&b, x, in_c, y, whole, p->weights, &p->channels);
    if (scratch) {
        memcpy(scratch, x + (ptrdiff_t)clear * in_c, (size_t)(near * in_c));
    }
    for (int32_t i = whole; i < pixels; i += 4) {
        const int32_t n = pl_mve_next(pixels - i, 4);
        for (int32_t j = 0; j < 4; j++) {
            const int32_t pixel = i + (j < n ? j : n - 1);
            b.x[j] = pixel < clear ? x + (ptrdiff_t)pixel * in_c : scratch + (pixel - clear) * in_c;
        }
        pl_mve_pixels4(&b, y + (ptrdiff_t)i * out_c, n, 1, p->weights, &p->channels);
    }
}
