#pragma once
#include "common.h"

/* Nearest-neighbour resize of any element type, one output row.
 *
 *   y[j] = rows[0][columns[j]],  j < out_w, pixels of pixel_bytes bytes
 *
 * rows  one input row [in_w] pixels
 * y     [out_w] pixels; must not overlap the row
 * No scratch.
 */
typedef struct {
    int32_t out_w, pixel_bytes;
    const int16_t *rows;    /* [out_h]: input row of each output row, for the caller */
    const int16_t *columns; /* [out_w], each in [0, in_w) */
} pl_resize_nearest_row_params;

static void pl_resize_nearest_row(const void *const *rows, uint8_t *y,
                                  const pl_resize_nearest_row_params *p)
{
    const uint8_t *row = rows[0];
    for (int32_t j = 0; j < p->out_w; j++, y += p->pixel_bytes) {
        memcpy(y, row + (ptrdiff_t)p->columns[j] * p->pixel_bytes, (size_t)p->pixel_bytes);
    }
}
