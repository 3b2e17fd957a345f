#pragma once
#include "common.h"

/* Layer normalization of integers, exact, for both types of activations.
 *
 * Of the n values c = x - zero_x of a row, with S their sum (0 when not centred):
 *   D = n * sum(c^2) - S^2 + epsilon                  positive, at most 62 bits
 *   root = floor(sqrt(D * 2^(2t))), t such that D * 2^(2t) is in [2^60, 2^62)
 *   inverse = min(floor(2^61 / root), 2^31 - 1)       so that 1 / sqrt(D) is inverse * 2^(t - 61)
 *   normal = (n * c - S) * inverse, rounded half up to 16 fractional bits
 *   y = clamp(((normal * scale + bias * 2^8) * multiplier + half) >> shift, then + zero_y)
 *
 * scale may be NULL for 1, bias for 0. Bounds: n <= 2^14, so |normal| <= sqrt(n) * 2^16 <= 2^23,
 * the sum is below 2^40, and with a multiplier of 15 bits the product below 2^55; shift: 1 to 62.
 */
typedef struct {
    int32_t rows, n, centred, zero_x;
    int64_t epsilon;
    int32_t multiplier, shift, zero_y;
    const int16_t *scale; /* [n] or NULL */
    const int32_t *bias;  /* [n] or NULL */
} pl_layer_normalization_params;

/* What a row is multiplied by: normal = (n * c - sum) * inverse >> shift, rounded. */
typedef struct {
    int32_t sum, inverse, shift;
} pl_layer_normal;

/* floor(sqrt(v)) for v < 2^62, digit by digit. */
static inline uint32_t pl_isqrt(uint64_t v)
{
    uint64_t root = 0;
    for (uint64_t bit = (uint64_t)1 << 60; bit; bit >>= 2) {
        const uint64_t trial = root + bit;
        root >>= 1;
        if (v >= trial) {
            v -= trial;
            root += bit;
        }
    }
    return (uint32_t)root;
}

/* From the sum of c (0 when not centred) and that of c^2. */
static inline pl_layer_normal pl_layer_normal_of(int32_t sum, int64_t squares,
                                                 const pl_layer_normalization_params *p)
{
    uint64_t d = (uint64_t)(p->n * squares - (int64_t)sum * sum + p->epsilon);
    pl_layer_normal normal = {sum, 0, 61 - 16};
    while (d < (uint64_t)1 << 60) {
        d <<= 2;
        normal.shift -= 1;
    }
    const uint64_t inverse = ((uint64_t)1 << 61) / pl_isqrt(d);
    normal.inverse = inverse > INT32_MAX ? INT32_MAX : (int32_t)inverse;
    return normal;
}

/* One output before it is clamped to its type; c = x - zero_x of element i. */
static inline int32_t pl_layer_normal_apply(int32_t c, int32_t i, const pl_layer_normal *normal,
                                            const pl_layer_normalization_params *p)
{
    const int64_t product = (int64_t)(p->n * c - normal->sum) * normal->inverse;
    int64_t acc = (product + ((int64_t)1 << (normal->shift - 1))) >> normal->shift;
    acc *= p->scale ? p->scale[i] : 1;
    acc += (int64_t)(p->bias ? p->bias[i] : 0) * 256;
    acc = (acc * p->multiplier + ((int64_t)1 << (p->shift - 1))) >> p->shift;
    /* far beyond every type, and room for zero_y */
    acc = acc < -65536 ? -65536 : acc > 65536 ? 65536 : acc;
    return (int32_t)acc + p->zero_y;
}
