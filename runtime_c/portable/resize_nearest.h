#pragma once
#include "common.h"

/* Nearest-neighbour resize of any element type.
 *
 *   y[i][j] = x[rows[i]][columns[j]],  i < out_h, j < out_w, pixels of pixel_bytes bytes
 *
 * x        [in_h][in_w] pixels; y [out_h][out_w] pixels; they must not overlap
 * No scratch. Output rows taken from the same input row are copied from one another.
 */
typedef struct {
    int32_t in_w, out_h, out_w, pixel_bytes;
    const int16_t *rows;    /* [out_h], each in [0, in_h) */
    const int16_t *columns; /* [out_w], each in [0, in_w) */
} pl_resize_nearest_params;

static void pl_resize_nearest(const uint8_t *x, uint8_t *y, const pl_resize_nearest_params *p)
{
    const ptrdiff_t row_bytes = (ptrdiff_t)p->out_w * p->pixel_bytes;
    for (int32_t i = 0; i < p->out_h; i++, y += row_bytes) {
        if (i > 0 && p->rows[i] == p->rows[i - 1]) {
            memcpy(y, y - row_bytes, (size_t)row_bytes);
            continue;
        }
        const uint8_t *row = x + (ptrdiff_t)p->rows[i] * p->in_w * p->pixel_bytes;
        uint8_t *to = y;
        for (int32_t j = 0; j < p->out_w; j++, to += p->pixel_bytes) {
            memcpy(to, row + (ptrdiff_t)p->columns[j] * p->pixel_bytes, (size_t)p->pixel_bytes);
        }
    }
}
