#pragma once
#include "common.h"

/* Bilinear resize of int8, 10 fractional bits per axis.
 *
 *   y[i][j][c] = (x[r][k][c] * (1024 - fy) * (1024 - fx) + x[r+1][k][c] * fy * (1024 - fx)
 *              +  x[r][k+1][c] * (1024 - fy) * fx + x[r+1][k+1][c] * fy * fx) / 2^20,
 *   r = rows[i], fy = row_fraction[i], k = columns[j], fx = column_fraction[j]
 *
 * to nearest, ties away from zero. A neighbour with fraction 0 is not read.
 * x        [in_h][in_w][channels]; y [out_h][out_w][channels]; they must not overlap
 * No scratch. Bounds: weights add up to 2^20, so |total| <= 2^27: int32 is enough.
 */
typedef struct {
    int32_t in_w, out_h, out_w, channels;
    const int16_t *rows;            /* [out_h] */
    const int16_t *row_fraction;    /* [out_h], [0, 1024) */
    const int16_t *columns;         /* [out_w] */
    const int16_t *column_fraction; /* [out_w], [0, 1024) */
} pl_resize_bilinear_s8_params;

static void pl_resize_bilinear_s8(const int8_t *x, int8_t *y,
                                  const pl_resize_bilinear_s8_params *p)
{
    for (int32_t i = 0; i < p->out_h; i++) {
        const int32_t fy = p->row_fraction[i];
        const int8_t *row = x + (ptrdiff_t)p->rows[i] * p->in_w * p->channels;
        const ptrdiff_t down = fy ? (ptrdiff_t)p->in_w * p->channels : 0;
        for (int32_t j = 0; j < p->out_w; j++) {
            const int32_t fx = p->column_fraction[j];
            const int8_t *a = row + (ptrdiff_t)p->columns[j] * p->channels;
            const int8_t *b = a + down;
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
}
