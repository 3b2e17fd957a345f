#pragma once
#include "depthwise_tiles.h"
#include "depthwise_planes_across.h"

/* Depthwise convolution of int8 with windows of size x size and stride 1, some output rows: see
 * depthwise_tiles.h. All lines of weights are unrolled, in `tiles`.
 *
 * rows     n + size - 1 pointers (NULL: padding) to input rows [in_w][in_c]
 * y        [n][out_w][in_c]; must not overlap any row
 * planes   scratch, for the pairs of columns that the tiles of a run read, `pair` words each
 *
 * Inlined, so that it calls `tiles` directly.
 */
static PL_DSP_INLINE void pl_dwt_square(const void *const *rows, int8_t *y, int32_t n,
                                        int32_t *planes, int32_t pair, int32_t size,
                                        void (*tiles)(const pl_dwt_job *), const pl_dwt_params *p)
{
    const int32_t in_c = p->in_c;
    for (int32_t x = 0, run; x < p->out_w; x += run) {
        run = p->out_w - x < p->chunk ? p->out_w - x : p->chunk;
        for (int32_t at = 0; at < in_c; at += 4) {
            /* The last four channels may overlap those before. */
            const int32_t c = at + 4 <= in_c ? at : in_c - 4;
            pl_dw_planes(planes, pair, rows, n + size - 1, c, x - p->pad_left, (run + size) / 2,
                         p->in_w, in_c, p->zero);
            const pl_dwt_job job =
                pl_dwt_job_of(planes, n, run, p->records + p->record * c, y + x * in_c + c, p);
            tiles(&job);
        }
    }
    pl_dw_clamp(y, n * p->out_w * in_c, p->low, p->high);
}
