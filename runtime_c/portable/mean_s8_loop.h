#pragma once
#include "mean.h"

/* Mean of int8 over some dimensions.
 *
 *   y[o] = saturate(requantize(offset + sum of the elements of x reduced to o))
 *
 * 1 / number of elements is part of the multiplier; offset is minus their number times the zero
 * point of x.
 * x is walked as mean.h says; y [outputs] must not overlap x. No scratch.
 * Under an ONNX rounding `multiplier` holds the bits of a float32 factor, and the shift is not used.
 * Bounds: |offset + sum| < 2^30 after the left shift of a positive `shift` (proven when the code
 * was generated).
 */
typedef struct {
    int32_t outputs, kept_dims;
    const int32_t *kept; /* [kept_dims][2] */
    int32_t runs, n, stride, outer_dims;
    const int32_t *outer; /* [outer_dims][2] */
    int32_t offset, multiplier, shift, zero_y;
} pl_mean_s8_params;

/* What becomes of a sum. */
typedef int8_t pl_finish_mean(int32_t sum, const pl_mean_s8_params *p);

static PL_INLINE void pl_mean_s8_loop(const int8_t *x, int8_t *y, const pl_mean_s8_params *p,
                                      pl_finish_mean *finish)
{
    for (int32_t o = 0; o < p->outputs; o++) {
        const int8_t *from = x + pl_offset(p->kept, p->kept_dims, o);
        int32_t sum = p->offset;
        for (int32_t run = 0; run < p->runs; run++) {
            const int8_t *v = from + pl_offset(p->outer, p->outer_dims, run);
            for (int32_t i = 0; i < p->n; i++) {
                sum += v[i * p->stride];
            }
        }
        y[o] = finish(sum, p);
    }
}
