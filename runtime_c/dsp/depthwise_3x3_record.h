#pragma once
#include "depthwise_planes.h"

/* Constants of a channel of the depthwise 3x3 kernels for outputs whose zero point is their lowest
 * value (ReLU), kept small; a run unpacks them once.
 *
 *   y = saturate((rounding - PL_DW_LOW + upper half of (multiplier * (bias
 *       + sum over window of x * (weights << scale)))) >> PL_DW_FRACTION)
 *
 * Bias, multiplier and scale are such that the product equals the portable kernel's before its last
 * shift. It is rounded down, and negative values are not rounded away from zero, which is seen in
 * negative outputs only, which all saturate.
 * Bounds: |bias + sum| < 2^31, |rounding - PL_DW_LOW + product| < 2^31 and |weights << scale| <
 * 2^15 for any input (proven when the code was generated, as is that every output equals the
 * portable kernel's).
 */
enum { PL_DW_FRACTION = 10, PL_DW_LOW = 130560 }; /* 128 << FRACTION, less half a step */

typedef struct { /* the offsets of the fields are known to the assembly */
    int8_t weights[9];
    uint8_t scale;
    uint16_t rounding;
    int32_t bias, multiplier;
} pl_dw3_record;

enum { PL_DW3_WORDS = 5 }; /* of a record */

typedef struct {
    int32_t in_w, in_c, out_w, pad_left, chunk, zero;
    const int32_t *records; /* [in_c], each a pl_dw3_record */
} pl_dw3_params;

#if defined(__GNUC__) && defined(__ARM_FEATURE_DSP)

/* Scaled weights, in A, B and C, from the bytes I, J, K on of the record at r0; r2 scale. */
#define PL_DW3_WEIGHTS(A, I, B, J, C, K)                                                           \
    "ldrsb " A ", [r0, #" I "]\n\t"                                                                \
    "ldrsb " B ", [r0, #" J "]\n\t"                                                                \
    "ldrsb " C ", [r0, #" K "]\n\t"                                                                \
    "lsl " A ", " A ", r2\n\t"                                                                     \
    "lsl " B ", " B ", r2\n\t"                                                                     \
    "lsl " C ", " C ", r2\n\t"

/* A becomes lanes (A, B). */
#define PL_DW3_LANES(A, B) "pkhbt " A ", " A ", " B ", lsl #16\n\t"

#else

/* One output, whose window starts in column `odd` of the pair at `in`. */
static inline int8_t pl_dw3_one(const int32_t *in, int32_t odd, const pl_dw3_record *r)
{
    const int8_t *w = r->weights;
    int32_t acc = r->bias;
    for (int32_t ky = 0; ky < 3; ky++, in += 4) {
        for (int32_t x = odd; x < odd + 3; x++) {
            const int32_t columns = in[x / 2 * PL_DW_PAIR];
            acc += (x % 2 ? pl_high(columns) : pl_low(columns)) * (*w++ * (1 << r->scale));
        }
    }
    const int32_t product = (int32_t)(((int64_t)acc * r->multiplier) >> 32);
    return (int8_t)pl_clamp((r->rounding - PL_DW_LOW + product) >> PL_DW_FRACTION, INT8_MIN,
                            INT8_MAX);
}

#endif
