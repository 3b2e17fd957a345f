#pragma once
#include "depthwise_3x3row.h"
#include "depthwise_clamp.h"

/* Depthwise 3x3 convolution of int8, one output row, mostly for outputs whose zero point is their
 * lowest value (ReLU), straight from the input rows: as fast for single rows as the kernels that
 * work in planes are for many, and without scratch memory.
 *
 *   y[ox][c] = clamp(output of rows[0 .. 2][ox * stride_w - pad_left ..][c], low, high)
 *
 * rounded as in depthwise_3x3_record.h
 *
 * rows     3 pointers to input rows [in_w][in_c]; rows outside the input point to zero points
 * y        [out_w][in_c]; must not overlap any row
 * right    1: the last window has one column beyond the input, 0: it has none
 * Bounds: in_c >= 4; stride_w 1 or 2; pad_left 0 or 1; windows reach no further out.
 */
typedef struct {
    int32_t in_c, out_w, stride_w, pad_left, right;
    int32_t zero; /* the input's zero point in each byte */
    int32_t low, high;
    const int32_t *records; /* [in_c][PL_DWR_WORDS] */
} pl_dwr_params;

static void pl_depthwise_conv2d_s8__dsp_3x3row(const void *const *rows, int8_t *y,
                                               const pl_dwr_params *p)
{
    pl_dwr_job job;
    for (int32_t i = 0; i < 3; i++) {
        job.rows[i] = (const int8_t *)rows[i];
    }
    job.at = -p->pad_left * p->in_c;
    job.in_c = p->in_c;
    job.zero = p->zero;
    job.records = p->records;
    job.y = y;
    job.left = p->out_w;
    job.right = p->right;
    job.pad_left = p->pad_left;
    job.pairs = p->stride_w == 1;
    job.groups = p->in_c / 4;
    job.first_at = job.at;
    job.first_y = y;
    job.out_w = p->out_w;
    pl_dwr_groups(&job);
    if (p->in_c % 4 != 0) { /* the last four channels overlap those before */
        const int32_t c = p->in_c - 4;
        job.at += c;
        job.first_at += c;
        job.y += c;
        job.first_y += c;
        job.records += PL_DWR_WORDS * c;
        job.groups = 1;
        pl_dwr_groups(&job);
    }
    pl_dw_clamp(y, p->out_w * p->in_c, p->low, p->high);
}
