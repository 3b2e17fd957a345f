#pragma once
#include "common.h"

/* Softmax of int8 along the last axis by TFLite's fixed-point arithmetic, for both output types.
 *
 *   e[c] = exponentials[max(x) - x[c]], 0 from `count` on (those change no output)
 *   y[c] = e[c] / sum(e), stored with `bits` fractional bits and offset by -2^(bits - 1)
 *
 * x [rows][depth]; y alike: int8 (bits 8: scale 1/256, zero point -128) or int16 (bits 16: scale
 * 1/65536, zero point -32768). Bounds: depth < 4096, so that the sum of Q12.19 fits.
 */
typedef struct {
    int32_t rows, depth, count;
    const int32_t *exponentials; /* [count], Q0.31, largest first */
} pl_softmax_s8_params;

static inline int32_t pl_high_mul(int32_t a, int32_t b)
{
    return (int32_t)(((int64_t)a * b + ((int64_t)1 << 30)) >> 31);
}

static inline int32_t pl_softmax_s8_exp(int32_t difference, const pl_softmax_s8_params *p)
{
    return difference < p->count ? p->exponentials[difference] : 0;
}

/* Reciprocal of `total`, whose highest bit is set, scaled to [2^30, 2^31): three Newton-Raphson
 * steps for 1 / half, half in [1/2, 1) as Q0.31, the quotient as Q2.29.
 */
static inline int32_t pl_softmax_s8_reciprocal(uint32_t total)
{
    const int32_t half = (int32_t)(total >> 1);
    int32_t q = 1515870810 + pl_high_mul(half, -1010580540); /* 48/17 - 32/17 * half */
    for (int i = 0; i < 3; i++) {
        const int32_t error = (1 << 29) - pl_high_mul(half, q);
        q += pl_high_mul(q, error) * 4; /* |error| <= 1/17 of 2^29, so the product has room */
    }
    return q >= 1 << 30 ? INT32_MAX : q * 2;
}

/* Largest element of a row; reciprocal of the sum of its exponentials and how far to shift products
 * of both for an output of `bits` bits.
 */
static inline int32_t pl_softmax_s8_row(const int8_t *x, int32_t bits,
                                        const pl_softmax_s8_params *p, int32_t *scale,
                                        int32_t *shift)
{
    int32_t largest = x[0];
    for (int32_t c = 1; c < p->depth; c++) {
        largest = x[c] > largest ? x[c] : largest;
    }
    uint32_t total = 0;
    for (int32_t c = 0; c < p->depth; c++) {
        total += ((uint32_t)pl_softmax_s8_exp(largest - x[c], p) + 2048u) >> 12;
    }
    *shift = 12 + 31 - bits;
    while (total < 0x80000000u) {
        total <<= 1;
        *shift -= 1;
    }
    *scale = pl_softmax_s8_reciprocal(total);
    if (*shift > 31) { /* a sum of 2^(bits + 1) or more: every share rounds to 0 */
        *scale = 0;
        *shift = 31;
    }
    return largest;
}

/* Output before the offset; never negative. */
static inline int32_t pl_softmax_s8_share(int32_t difference, int32_t scale, int32_t shift,
                                          const pl_softmax_s8_params *p)
{
    const int32_t share = pl_high_mul(pl_softmax_s8_exp(difference, p), scale);
    return (int32_t)(((uint32_t)share + ((1u << shift) >> 1)) >> shift);
}
