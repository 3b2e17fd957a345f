#pragma once
#include "common.h"

/* Bilinear resize of float32.
 *
 *   y[i][j][c] = x[r0][k0][c] * (1 - fy) * (1 - fx) + x[r1][k0][c] * fy * (1 - fx)
 *              + x[r0][k1][c] * (1 - fy) * fx + x[r1][k1][c] * fy * fx, added in this order
 *   r0 = rows[i], r1 = rows[out_h + i], fy = row_fraction[i], k0, k1 and fx alike from columns
 *
 * x        [in_h][in_w][channels]; y [out_h][out_w][channels]; they must not overlap
 * No scratch.
 */
typedef struct {
    int32_t in_w, out_h, out_w, channels;
    const int16_t *rows;          /* [2][out_h] */
    const float *row_fraction;    /* [out_h] */
    const int16_t *columns;       /* [2][out_w] */
    const float *column_fraction; /* [out_w] */
} pl_resize_bilinear_f32_params;

static void pl_resize_bilinear_f32(const float *x, float *y,
                                   const pl_resize_bilinear_f32_params *p)
{
    const ptrdiff_t pitch = (ptrdiff_t)p->in_w * p->channels;
    for (int32_t i = 0; i < p->out_h; i++) {
        const float fy = p->row_fraction[i];
        const float *top = x + p->rows[i] * pitch;
        const float *bottom = x + p->rows[p->out_h + i] * pitch;
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
}
