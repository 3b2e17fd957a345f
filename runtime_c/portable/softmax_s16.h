#pragma once
#include "common.h"

/* Softmax of int16 along the last axis by two interpolated tables, TFLite's arithmetic.
 *
 * x [rows][depth] with zero point 0, y alike with scale 2^-15 and zero point 0
 * multiplier, shift    difference to the largest element -> argument of exp, 65535 meaning 10
 * exp_table            [513] 2^15 * exp on [-10, 0]
 * reciprocal_table     [513] 2^15 / (1 + v) on [0, 1]
 * Aliasing: y may be x (y holds the exponentials between the passes). No scratch.
 * Bounds: depth <= 65536; 65535 * 2^max(shift, 0) < 2^30.
 */
typedef struct {
    int32_t rows, depth, multiplier, shift;
    const int16_t *exp_table, *reciprocal_table;
} pl_softmax_s16_params;

/* Table of 512 steps at v in [-2^15, 2^15), linear between entries. */
static inline int32_t pl_interpolate_s16(int32_t v, const int16_t *table)
{
    const int16_t *entry = table + 256 + (v >> 7);
    return entry[0] + (((entry[1] - entry[0]) * (v & 127) + 64) >> 7);
}

static void pl_softmax_s16(const int16_t *x, int16_t *y, const pl_softmax_s16_params *p)
{
    for (int32_t row = 0; row < p->rows; row++, x += p->depth, y += p->depth) {
        int32_t largest = x[0];
        for (int32_t c = 1; c < p->depth; c++) {
            largest = x[c] > largest ? x[c] : largest;
        }
        uint32_t total = 0;
        for (int32_t c = 0; c < p->depth; c++) {
            const int32_t v = pl_requantize(x[c] - largest, p->multiplier, p->shift, INT16_MAX);
            const int32_t e = pl_interpolate_s16(pl_clamp(v, INT16_MIN, INT16_MAX), p->exp_table);
            y[c] = (int16_t)e;
            total += (uint32_t)e;
        }
        int32_t shift = 31; /* 31 - leading zeros of total - 1, at least 14: exp(0) is 2^15 - 1 */
        while (total < 0x80000000u) {
            total <<= 1;
            shift -= 1;
        }
        /* total / 2^31 - 1 in [0, 1) is the table's argument, rounded to 16 bits. */
        const int32_t v = (int32_t)((((total >> 1) + (1u << 13)) >> 14)) - (1 << 15) - (1 << 16);
        const int32_t inverse =
            pl_interpolate_s16(pl_clamp(v, INT16_MIN, INT16_MAX), p->reciprocal_table);
        for (int32_t c = 0; c < p->depth; c++) {
            const int64_t product = (int64_t)y[c] * inverse + ((int64_t)1 << (shift - 1));
            y[c] = (int16_t)pl_clamp((int32_t)(product >> shift), 0, INT16_MAX);
        }
    }
}
