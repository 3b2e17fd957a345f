#pragma once
#include "common.h"

/* Resize of float32 by any separable filter.
 *
 *   y[i][j][c] = sum over r of row_weights[i][r] * (sum over k of column_weights[j][k] *
 *                x[rows[i][r]][columns[j][k]][c])
 *   or `outside` where rows[i][0] or columns[j][0] is -1
 *
 * x [in_h][in_w][channels]; y [out_h][out_w][channels]; they must not overlap. No scratch.
 */
typedef struct {
    int32_t in_w, out_h, out_w, channels, row_taps, column_taps;
    float outside;
    const int16_t *rows;         /* [out_h][row_taps] */
    const float *row_weights;    /* [out_h][row_taps] */
    const int16_t *columns;      /* [out_w][column_taps] */
    const float *column_weights; /* [out_w][column_taps] */
} pl_resize_f32_params;

static void pl_resize_f32(const float *x, float *y, const pl_resize_f32_params *p)
{
    const ptrdiff_t pitch = (ptrdiff_t)p->in_w * p->channels;
    for (int32_t i = 0; i < p->out_h; i++) {
        const int16_t *rows = p->rows + i * p->row_taps;
        const float *wy = p->row_weights + i * p->row_taps;
        for (int32_t j = 0; j < p->out_w; j++) {
            const int16_t *columns = p->columns + j * p->column_taps;
            const float *wx = p->column_weights + j * p->column_taps;
            const int32_t inside = rows[0] >= 0 && columns[0] >= 0;
            for (int32_t c = 0; c < p->channels; c++) {
                float total = inside ? 0.0f : p->outside;
                for (int32_t r = inside ? 0 : p->row_taps; r < p->row_taps; r++) {
                    const float *row = x + rows[r] * pitch + c;
                    float sum = 0.0f;
                    for (int32_t k = 0; k < p->column_taps; k++) {
                        sum += wx[k] * row[(ptrdiff_t)columns[k] * p->channels];
                    }
                    total += wy[r] * sum;
                }
                *y++ = total;
            }
        }
    }
}
