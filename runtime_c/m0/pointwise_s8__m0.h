#pragma once
#include "pair_s8_m0.h"

/* 1x1 convolution, and fully-connected, of int8 over a run of pixels, two pixels at a time.
 *
 *   y[i][oc] = clamp(requantize(bias[oc] + sum over ic of x[i][ic] * weights[oc][ic])),  i < pixels
 *
 * x        [pixels][in_c]; y [pixels][out_c]; they must not overlap
 * segment  input channels multiplied at a time: all, or a multiple of 4 where there are many
 * weights  per PL_M0_BLOCK output channels, per segment, per two channels the words of pl_pair_dot_m0; the
 *          last segment and an odd number of channels are filled up with zeros
 * bias     has -zero_point * sum(weights) merged in
 * scratch  segment words, rounded up to a multiple of 4
 * Bounds: |accumulator| < 2^30 for any input; those of pl_pair_dot_m0 (proven when the code was generated).
 */
typedef struct {
    int32_t in_c, out_c, segment;
    pl_channels_m0 channels;
    const int32_t *weights;
} pl_pointwise_s8__m0_params;

/* The words of the segment from input channel ic on; where they end. */
static inline const uint32_t *pl_pointwise_pair_m0(uint32_t *words, const int8_t *x0,
                                                   const int8_t *x1, int32_t ic,
                                                   const pl_pointwise_s8__m0_params *p)
{
    const int32_t k = p->in_c - ic < p->segment ? p->in_c - ic : p->segment;
    pl_pair_run_m0(words, x0 + ic, x1 + ic, k);
    return pl_pair_pad_m0(words, words + k);
}

static void pl_pointwise_s8__m0(const int8_t *x, int8_t *y, int32_t pixels, void *scratch,
                                const pl_pointwise_s8__m0_params *p)
{
    const int32_t in_c = p->in_c, out_c = p->out_c, segment = p->segment;
    uint32_t *words = (uint32_t *)scratch;
    for (; pixels > 0; pixels -= 2, x += 2 * in_c, y += 2 * out_c) {
        /* A last single pixel is computed twice. */
        const int8_t *x1 = pixels > 1 ? x + in_c : x;
        const int32_t distance = pixels > 1 ? out_c : 0, *w = p->weights;
        const uint32_t *end = words;
        for (int32_t oc = 0, n; oc < out_c; oc += n) {
            int32_t acc[2 * PL_M0_BLOCK];
            n = out_c - oc < PL_M0_BLOCK ? out_c - oc : PL_M0_BLOCK;
            if (oc == 0 || segment < in_c) {
                end = pl_pointwise_pair_m0(words, x, x1, 0, p);
            }
            pl_pair_dot_m0(words, w, acc, end, acc + 2 * n);
            w += (end - words) / 2 * ((n + 1) / 2);
            for (int32_t ic = segment; ic < in_c; ic += segment) {
                end = pl_pointwise_pair_m0(words, x, x1, ic, p);
                pl_pair_add_dot_m0(words, w, acc, end, 2 * n);
                w += (end - words) / 2 * ((n + 1) / 2);
            }
            pl_store_pair_m0(y + oc, distance, acc, n, oc, &p->channels);
        }
    }
}
