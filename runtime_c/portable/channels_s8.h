#pragma once
#include "common.h"

/* Kernels gather up to this many accumulators before they store them. */
enum { PL_STORE = 16 };

/* How accumulators of output channels become int8 outputs.
 *
 * shift        to the right, as positive numbers; right_only: all are at least 1
 * Under an ONNX rounding `multiplier` holds the bits of float32 factors, and the shift is not used.
 * Bounds: with the bias, |accumulator| * 2^max(-shift, 0) < 2^30; multiplier in [0, 2^31); shift in
 *         [-30, 31].
 */
typedef struct {
    int32_t zero_point, low, high, right_only;
    const int32_t *bias;       /* [channels] */
    const int32_t *multiplier; /* [channels] */
    const int8_t *shift;       /* [channels] */
} pl_channels_s8;

/* Stores n outputs from channel `first` on: y[i] = clamp(requantize(acc[i] + bias[first + i])). */
typedef void pl_store_outputs(int8_t *y, const int32_t *acc, int32_t n, int32_t first,
                              const pl_channels_s8 *c);

/* The float32 factor of channel i, under an ONNX rounding. */
static inline float pl_factor_s8(const pl_channels_s8 *c, int32_t i)
{
    float factor;
    memcpy(&factor, &c->multiplier[i], sizeof factor);
    return factor;
}
