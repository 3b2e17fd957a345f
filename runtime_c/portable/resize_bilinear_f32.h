#pragma once
#include "common.h"

/* Bilinear resize of float32, output row `oy`.
 *
 *   y[j][c] = top[k0][c] * (1 - fy) * (1 - fx) + bottom[k0][c] * fy * (1 - fx)
 *           + top[k1][c] * (1 - fy) * fx + bottom[k1][c] * fy * fx, added in this order
 *   fy = row_fraction[oy], k0 = columns[j], k1 = columns[out_w + j], fx = column_fraction[j]
 *
 * rows  input rows [in_w][channels] rows[oy], which is top, and the next one, NULL below the input;
 *       bottom is input row rows[out_h + oy], one of the two
 * y     [out_w][channels]; must not overlap the rows
 * No scratch.
 */
typedef struct {
    int32_t out_h, out_w, channels;
    const int16_t *rows;          /* [2][out_h] */
    const float *row_fraction;    /* [out_h] */
    const int16_t *columns;       /* [2][out_w] */
    const float *column_fraction; /* [out_w] */
} pl_resize_bilinear_f32_params;

static void pl_resize_bilinear_f32(const void *const *rows, float *y, int32_t oy,
                                   const pl_resize_bilinear_f32_params *p)
{
    const float fy = p->row_fraction[oy];
    const float *top = rows[0];
    const float *bottom = rows[p->rows[p->out_h + oy] - p->rows[oy]];
    for (int32_t j = 0; j < p->out_w; j++) {
        const float fx = p->column_fraction[j];
        const ptrdiff_t left = (ptrdiff_t)p->columns[j] * p->channels;
        const ptrdiff_t right = (ptrdiff_t)p->columns[p->out_w + j] * p->channels;
        for (int32_t c = 0; c < p->channels; c++) {
            float total = top[left + c] * (1.0f - fy) * (1.0f - fx);
            total += bottom[left + c] * fy * (1.0f - fx);
            total += top[right + c] * (1.0f - fy) * fx;
            total += bottom[right + c] * fy * fx;
            *y++ = total;
        }
    }
}
