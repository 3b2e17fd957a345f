#pragma once
#include "common.h"

/* Argument of the int16 sigmoid table: x * multiplier / 2^shift in 1/(24 * 512), ties up. */
typedef struct {
    int32_t multiplier, shift; /* multiplier in [1, 32767], shift in [0, 31) */
    const int16_t *table;      /* [256]: 65536 * (sigmoid(i / 24) - 1/2) */
} pl_sigmoid_s16_params;

static inline int32_t pl_sigmoid_s16_argument(int32_t x, const pl_sigmoid_s16_params *p)
{
    /* |x * multiplier| < 2^30, half of the divisor at most 2^29. */
    return (x * p->multiplier + (int32_t)((1u << p->shift) >> 1)) >> p->shift;
}

/* 65536 * sigmoid at table position `magnitude` / 2^bits, linear between entries, times 2^bits;
 * `limit` beyond the table's end.
 */
static inline int32_t pl_sigmoid_s16(uint32_t magnitude, uint32_t bits, int32_t limit,
                                     const int16_t *table)
{
    const uint32_t i = magnitude >> bits;
    if (i >= 255) {
        return limit;
    }
    const int32_t rest = (int32_t)(magnitude & ((1u << bits) - 1u));
    return (32768 + table[i]) * (1 << bits) + rest * (table[i + 1] - table[i]);
}
