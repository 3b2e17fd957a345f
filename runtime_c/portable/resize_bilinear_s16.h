#pragma once
#include "common.h"

/* Bilinear resize of int16, 10 fractional bits per axis, output row `oy`.
 *
 *   y[j][c] = (top[k][c] * (1024 - fy) * (1024 - fx) + bottom[k][c] * fy * (1024 - fx)
 *           +  top[k+1][c] * (1024 - fy) * fx + bottom[k+1][c] * fy * fx) / 2^20,
 *   fy = row_fraction[oy], k = columns[j], fx = column_fraction[j]
 *
 * to nearest, ties away from zero. A neighbour with fraction 0 is not read.
 * rows  input rows [in_w][channels] top, which is rows[oy], and bottom, the next, NULL below the input
 * y     [out_w][channels]; must not overlap the rows
 * No scratch. Bounds: weights add up to 2^20, so |total| <= 2^35: int64 is needed.
 */
typedef struct {
    int32_t out_w, channels;
    const int16_t *rows;            /* [out_h] */
    const int16_t *row_fraction;    /* [out_h], [0, 1024) */
    const int16_t *columns;         /* [out_w] */
    const int16_t *column_fraction; /* [out_w], [0, 1024) */
} pl_resize_bilinear_s16_params;

static void pl_resize_bilinear_s16(const void *const *rows, int16_t *y, int32_t oy,
                                   const pl_resize_bilinear_s16_params *p)
{
    const int32_t fy = p->row_fraction[oy];
    const int16_t *top = rows[0];
    const int16_t *bottom = rows[fy ? 1 : 0];
    for (int32_t j = 0; j < p->out_w; j++) {
        const int32_t fx = p->column_fraction[j];
        const int16_t *a = top + (ptrdiff_t)p->columns[j] * p->channels;
        const int16_t *b = bottom + (ptrdiff_t)p->columns[j] * p->channels;
        const ptrdiff_t right = fx ? p->channels : 0;
        const int32_t w00 = (1024 - fy) * (1024 - fx), w10 = fy * (1024 - fx);
        const int32_t w01 = (1024 - fy) * fx, w11 = fy * fx;
        for (int32_t c = 0; c < p->channels; c++, a++, b++) {
            const int64_t left = (int64_t)*a * w00 + (int64_t)*b * w10;
            const int64_t total = left + (int64_t)a[right] * w01 + (int64_t)b[right] * w11;
            const int64_t half = total > 0 ? 1 << 19 : -(1 << 19);
            *y++ = (int16_t)((total + half) / (1 << 20));
        }
    }
}
