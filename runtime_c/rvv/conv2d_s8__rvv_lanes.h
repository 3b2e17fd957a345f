#pragma once
#include "lanes_s8_rvv.h"

/* 2-D convolution of int8 without groups, one output row, with vectors of pixels; at most
 * PL_SEGMENTS_RVV columns of taps. Contract as pl_conv2d_s8; rows outside the input point to in_w *
 * in_c elements of padding. lanes.step is stride_w * in_c. No scratch.
 */
typedef struct {
    int32_t in_w, in_c, out_w;
    int32_t kernel_h, kernel_w, stride_w, dilation_w, pad_left;
    pl_lanes_rvv_params lanes;
} pl_conv2d_s8__rvv_lanes_params;

/* Columns of taps of `lanes` windows from column x0 on: those that are inside the input for all
 * windows lie side by side, unless there is dilation. */
static PL_NOINLINE void pl_segments_s8_rvv(pl_segments_rvv *s, int32_t x0, int32_t lanes,
                                           const pl_conv2d_s8__rvv_lanes_params *p)
{
    const int32_t in_c = p->in_c, stride = p->stride_w;
    pl_segment_rvv *at = s->at;
    int32_t whole = 0;
    for (int32_t kx = 0; kx < p->kernel_w; kx++, x0 += p->dilation_w) {
        /* columns from the first window's tap to the edge */
        const int32_t right = p->in_w - 1 - x0;
        const int32_t first = x0 < 0 ? (stride - 1 - x0) / stride : 0;
        const int32_t end = right < 0 ? 0 : pl_clamp(right / stride + 1, 0, lanes);
        const int32_t count = end > first ? end - first : 0;
        if (whole && count == lanes) {
            at[-1].n += in_c;
            at[-1].fours = at[-1].n & ~3;
            continue;
        }
        at->offset = x0 * in_c;
        at->n = in_c;
        at->fours = in_c & ~3;
        at->first = first;
        at++->count = count;
        whole = count == lanes && p->dilation_w == 1;
    }
    s->count = (int32_t)(at - s->at);
}

static void pl_conv2d_s8__rvv_lanes(const void *const *rows, int8_t *y,
                                    const pl_conv2d_s8__rvv_lanes_params *p)
{
    for (int32_t ox = 0, lanes; ox < p->out_w; ox += lanes, y += lanes * p->lanes.out_c) {
        pl_segments_rvv s;
        lanes = pl_lanes_rvv(p->out_w - ox);
        pl_segments_s8_rvv(&s, ox * p->stride_w - p->pad_left, lanes, p);
        pl_groups_s8_rvv(rows, p->kernel_h, &s, lanes, y, &p->lanes);
    }
}
