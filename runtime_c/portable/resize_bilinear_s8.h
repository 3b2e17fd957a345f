#pragma once
#include "common.h"

/* Bilinear resize of int8, 10 fractional bits per axis, output row `oy`.
 *
 *   y[j][c] = (top[k][c] * (1024 - fy) * (1024 - fx) + bottom[k][c] * fy * (1024 - fx)
 *           +  top[k+1][c] * (1024 - fy) * fx + bottom[k+1][c] * fy * fx) / 2^20,
 *   fy = row_fraction[oy], k = columns[j], fx = column_fraction[j]
 *
 * to nearest, ties away from zero. A neighbour with fraction 0 is not read.
 * rows  input rows [in_w][channels] top, which is rows[oy], and bottom, the next, NULL below the input
 * y     [out_w][channels]; must not overlap the rows
 * No scratch. Bounds: weights add up to 2^20, so |total| <= 2^27: int32 is enough.
 */
typedef struct {
    int32_t out_w, channels;
    const int16_t *rows;            /* [out_h] */
    const int16_t *row_fraction;    /* [out_h], [0, 1024) */
    const int16_t *columns;         /* [out_w] */
    const int16_t *column_fraction; /* [out_w], [0, 1024) */
} pl_resize_bilinear_s8_params;

static void pl_resize_bilinear_s8(const void *const *rows, int8_t *y, int32_t oy,
                                  const pl_resize_bilinear_s8_params *p)
{
    const int32_t fy = p->row_fraction[oy];
    const int8_t *top = rows[0];
    const int8_t *bottom = rows[fy ? 1 : 0];
    for (int32_t j = 0; j < p->out_w; j++) {
        const int32_t fx = p->column_fraction[j];
        const int8_t *a = top + (ptrdiff_t)p->columns[j] * p->channels;
        const int8_t *b = bottom + (ptrdiff_t)p->columns[j] * p->channels;
        const ptrdiff_t right = fx ? p->channels : 0;
        const int32_t w00 = (1024 - fy) * (1024 - fx), w10 = fy * (1024 - fx);
        const int32_t w01 = (1024 - fy) * fx, w11 = fy * fx;
        for (int32_t c = 0; c < p->channels; c++, a++, b++) {
            const int32_t left = (int32_t)*a * w00 + (int32_t)*b * w10;
            const int32_t total = left + (int32_t)a[right] * w01 + (int32_t)b[right] * w11;
            const int32_t half = total > 0 ? 1 << 19 : -(1 << 19);
            *y++ = (int8_t)((total + half) / (1 << 20));
        }
    }
}
