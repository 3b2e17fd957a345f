#pragma once
#include "block_mve.h"

/* 2-D convolution of int8, n output rows, for inputs of few channels (stems).
 *
 * Formula and y as pl_conv2d_s8, without dilation along x and without groups. The windows of
 * some pixels are gathered in scratch, row by row.
 *
 * rows     pointers to input rows, kernel_h of them from r * stride_h on for output row r (and n 1 where
 *          rows are dilated)
 * zero     the input's zero point, which stands for what is outside a row
 * tile     pixels whose windows are gathered at a time
 * scratch  tile * slot bytes; slot = (kernel_h - 1) * run + run rounded up to a multiple of 16, or
 *          16 * chunks where that is more; run = kernel_w * in_c
 * weights  [out_c / 4][chunks][4 channels][16 inputs], inputs in the order [kernel_h][kernel_w][in_c],
 *          filled up with zeros; chunks = kernel_h * run / 16, rounded up
 * Bounds: as pl_conv2d_s8.
 */
typedef struct {
    int32_t in_w, in_c, out_w, kernel_h, run, stride_h, stride_w, pad_left, chunks, slot, tile, zero;
    pl_mve_channels channels;
    const int8_t *weights;
} pl_conv2d_s8__mve_narrow_params;

/* to[i * slot + ky * run + j] = rows[ky][start + i * step + j] for 4 pixels i, ky < kernel_h, and
 * begin <= j < run, j < begin + 16. Elements of `to` behind the run, up to begin + 16, are overwritten.
 */
static PL_NOINLINE void pl_conv2d_s8__mve_narrow_four(int8_t *to, const void *const *rows,
                                                      int32_t start, int32_t begin,
                                                      const pl_conv2d_s8__mve_narrow_params *p)
{
#ifdef PL_MVE
    /* a, b: first how many elements and rows, then addresses of windows. */
    register int32_t a __asm__("r0") = p->run - begin, b __asm__("r1") = p->kernel_h;
    register const void *const *row __asm__("r2") = rows;
    register int8_t *first __asm__("r3") = to + begin;
    register int32_t from __asm__("r4") = start + begin, step __asm__("r5") = p->stride_w * p->in_c;
    register int32_t slot __asm__("r6") = p->slot, run __asm__("r8") = p->run;
    __asm__ volatile("vctp.8 %[a]\n\t"
                     "dls lr, %[b]\n"
                     "1:\n\t"
                     "ldr %[a], [%[row]], #4\n\t"
                     "add %[a], %[a], %[from]\n\t"
                     "add %[b], %[a], %[step]\n\t"
                     "vpstt\n\t"
                     "vldrbt.u8 q0, [%[a]]\n\t"
                     "vldrbt.u8 q1, [%[b]]\n\t"
                     "add %[a], %[b], %[step]\n\t"
                     "add %[b], %[a], %[step]\n\t"
                     "vpstt\n\t"
                     "vldrbt.u8 q2, [%[a]]\n\t"
                     "vldrbt.u8 q3, [%[b]]\n\t"
                     "vstrb.8 q0, [%[first]]\n\t"
                     "add %[a], %[first], %[slot]\n\t"
                     "vstrb.8 q1, [%[a]]\n\t"
                     "add %[a], %[a], %[slot]\n\t"
                     "vstrb.8 q2, [%[a]]\n\t"
                     "add %[a], %[a], %[slot]\n\t"
                     "vstrb.8 q3, [%[a]]\n\t"
                     "add %[first], %[first], %[run]\n\t"
                     "le lr, 1b"
                     : [a] "+&r"(a), [b] "+&r"(b), [row] "+&r"(row), [first] "+&r"(first)
                     : [from] "r"(from), [step] "r"(step), [slot] "r"(slot), [run] "r"(run)
                     : "lr", "q0", "q1", "q2", "q3", "memory");
#else
    const int32_t step = p->stride_w * p->in_c, slot = p->slot, run = p->run;
    const int32_t n = pl_mve_next(run - begin, 16);
    for (int32_t ky = 0; ky < p->kernel_h; ky++, to += run) {
        for (int32_t i = 0; i < 4; i++) {
            memset(to + i * slot + begin, 0, 16);
            const int8_t *x = (const int8_t *)rows[ky] + start + i * step + begin;
            memcpy(to + i * slot + begin, x, (size_t)n);
        }
    }
#endif
}

/* to[ky * run + j] = rows[ky][start + j], or zero where that is outside the row, for ky < kernel_h and j as
 * above: a part of the window of one pixel, which begins at element `start` of the rows.
 */
static PL_NOINLINE void pl_conv2d_s8__mve_narrow_edge(int8_t *to, const void *const *rows,
                                                      int32_t start, int32_t begin,
                                                      const pl_conv2d_s8__mve_narrow_params *p)
{
    const int32_t run = p->run, rest = p->in_w * p->in_c - start - begin;
    const int32_t first = pl_clamp(-start - begin, 0, 16), end = pl_clamp(rest, 0, run - begin);
    to += begin;
#ifdef PL_MVE
    const mve_pred16_t outside = vctp8q((uint32_t)first);
    const mve_pred16_t inside = (mve_pred16_t)(vctp8q((uint32_t)end) & ~outside);
    const int8x16_t zero = vdupq_n_s8((int8_t)p->zero);
    for (const void *const *stop = rows + p->kernel_h; rows < stop; to += run) {
        const uintptr_t from = (uintptr_t)*rows++ + (uintptr_t)(ptrdiff_t)(start + begin);
        vstrbq_s8(to, vpselq_s8(vldrbq_z_s8((const int8_t *)from, inside), zero, inside));
    }
#else
    for (int32_t ky = 0; ky < p->kernel_h; ky++, to += run) {
        const int8_t *row = (const int8_t *)rows[ky];
        for (int32_t i = 0; i < 16; i++) {
            to[i] = (int8_t)(i >= first && i < end ? row[start + begin + i] : p->zero);
        }
    }
#endif
}

static void pl_conv2d_s8__mve_narrow(const void *const *rows, int8_t *y, int32_t n,
                                     int8_t *scratch, const pl_conv2d_s8__mve_narrow_params *p)
{
    const int32_t step = p->stride_w * p->in_c, slot = p->slot, width = p->in_w * p->in_c;
    pl_mve_block b = pl_mve_new_block(&p->channels, p->chunks);
    int32_t filled = 0;
    for (int32_t row = 0; row < n; row++, rows += p->stride_h) {
        int32_t start = -p->pad_left * p->in_c;
        for (int32_t ox = 0; ox < p->out_w;) {
            const int32_t room = start >= 0 && start + 3 * step + p->run <= width;
            const int32_t four = room && filled + 4 <= p->tile && ox + 4 <= p->out_w;
            int8_t *to = scratch + filled * slot;
            /* From the last part of a run to the first: a part writes over its end. */
            for (int32_t begin = (p->run - 1) & ~15; begin >= 0; begin -= 16) {
                if (four) {
                    pl_conv2d_s8__mve_narrow_four(to, rows, start, begin, p);
                } else {
                    pl_conv2d_s8__mve_narrow_edge(to, rows, start, begin, p);
                }
            }
            ox += four ? 4 : 1;
            start += four ? 4 * step : step;
            filled += four ? 4 : 1;
            if (filled == p->tile || (ox == p->out_w && row == n - 1)) {
                pl_mve_pixels(&b, scratch, slot, y, filled, p->weights, &p->channels);
                y += filled * p->channels.count;
                filled = 0;
            }
        }
    }
}
