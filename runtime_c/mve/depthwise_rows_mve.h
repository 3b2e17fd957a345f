#pragma once
#include "depthwise_common_mve.h"

/* The contract of the Helium kernels of depthwise 2-D convolution of int8: one output per input channel,
 * one output row or two.
 *
 * Formula, rows and y as pl_depthwise_conv2d_s8 with depth 1, without dilation along x.
 *
 * rows     pointers to `taps` input rows, from the first one under the output on; with one output row
 *          of two only kernel_h of them count
 * n        output rows: 1, or 2 where p->two
 * scratch  strip of columns, see depthwise_common_mve.h: 64 * quads bytes for each of
 *          (tile - 1) * stride_w + 4 * (1 + steps) / quads columns, rounded up
 * pad      at least max(in_w, kernel_w) * in_c elements, all equal to the input's zero point
 * quads    taps / 4, rounded up; tile: output columns per strip
 * phases   2: the windows of a round are every other one, so that they are one vector apart; else 1
 * walk     how windows are walked, from PL_MVE_NEAR on over near ones
 * channels [in_c][record]: see pl_mve_walk
 * Bounds: as pl_depthwise_conv2d_s8; out_pitch + 7 * in_c < 65536.
 */
typedef struct {
    int32_t in_w, in_c, out_w, out_pitch, kernel_h, kernel_w, stride_w, pad_left;
    int32_t taps, quads, steps, two, phases, walk, tile, record, low, high;
    const int8_t *pad;
    const int32_t *channels;
} pl_mve_depthwise;

/* Walks from here on leave the strip's pointer where it is. */
enum { PL_MVE_NEAR = 8 };

#ifdef __GNUC__
#define PL_MVE_INLINE inline __attribute__((always_inline))
#else
#define PL_MVE_INLINE inline
#endif

/* Columns x0 to x0 + columns - 1 of `taps` rows and channels c to c + 15 as a strip. */
static PL_NOINLINE void pl_mve_depthwise_strip(int8_t *to, const void *const *rows,
                                                          int32_t taps, int32_t c, int32_t x0,
                                                          int32_t columns,
                                                          const pl_mve_depthwise *p)
{
    const int32_t in_c = p->in_c, step = 64 * p->quads, n = pl_mve_next(in_c - c, 16);
    const int32_t begin = pl_clamp(-x0, 0, columns), end = pl_clamp(p->in_w - x0, begin, columns);
    const int8_t *const pads[4] = {p->pad, p->pad, p->pad, p->pad};
    for (int32_t row = 0; row < taps; row += 4, to += 64) {
        if (begin > 0) {
            pl_mve_strip4(to, pads, begin, in_c, n, step);
        }
        if (end > begin) {
            const int8_t *from[4];
            for (int32_t i = 0; i < 4; i++) {
                const int32_t tap = row + i < taps ? row + i : row;
                from[i] = (const int8_t *)rows[tap] + (ptrdiff_t)(x0 + begin) * in_c + c;
            }
            pl_mve_strip4(to + begin * step, from, end - begin, in_c, n, step);
        }
        if (columns > end) {
            pl_mve_strip4(to + end * step, pads, columns - end, in_c, n, step);
        }
    }
}

/* Lanes of the first `count` of 4 windows in two rows, of which `rows` are wanted, or of 8 in one. */
static inline uint32_t pl_mve_depthwise_mask(int32_t count, int32_t two, int32_t rows)
{
    uint32_t mask = 0;
    for (int32_t j = 0; j < 4; j++) {
        const int32_t other = two ? rows == 2 && j < count : j + 4 < count;
        mask |= ((j < count ? 3u : 0u) | (other ? 12u : 0u)) << (4 * j);
    }
    return mask;
}

/* All but pointers, rounds and masks. */
static inline void pl_mve_depthwise_set(pl_mve_walk *w,
                                                   const pl_mve_depthwise *p)
{
    const int32_t step = p->phases * 64 * p->quads * p->stride_w, end = 256 * p->steps;
    const int32_t pitch = p->phases * p->in_c;
    w->steps = p->steps;
    w->two = p->two;
    w->sets = p->two && p->steps > 0 ? 2 : 1;
    w->low = p->low;
    w->high = p->high;
    w->x_step = (p->two ? 4 : 8) * step;
    w->y_step = (p->two ? 4 : 8) * pitch;
    w->skip = 4 * step - (p->walk >= PL_MVE_NEAR ? 0 : end);
    w->back = 4 - (p->two ? 0 : 4 * step) - (p->walk >= PL_MVE_NEAR ? 0 : end);
    for (int32_t i = 0; i < 4; i++) {
        for (int32_t j = 0; j < 4; j++) {
            w->windows[i][j] = (uint32_t)(i * step + 64 * j);
        }
        w->places[2 * i] = (uint16_t)(i * pitch);
        w->places[2 * i + 1] = (uint16_t)(i * pitch + (p->two ? p->out_pitch : 4 * pitch));
    }
}

/* The kernel of the contract above, with a function that runs the walks p->walk may be. Inlined, so that
 * its calls are direct ones. */
static PL_MVE_INLINE void pl_mve_depthwise_rows(const void *const *rows, int8_t *y, int32_t n,
                                                int8_t *scratch, const pl_mve_depthwise *p,
                                                void (*walk)(pl_mve_walk *, int32_t))
{
    const int32_t in_c = p->in_c, two = p->two, round = two ? 4 : 8;
    const int32_t taps = n == 2 ? p->taps : p->kernel_h;
    pl_mve_walk w;
    pl_mve_depthwise_set(&w, p);
    w.mask = pl_mve_depthwise_mask(8, two, n);
    for (int32_t ox = 0; ox < p->out_w; ox += p->tile, y += p->tile * in_c) {
        const int32_t outputs = pl_mve_next(p->out_w - ox, p->tile);
        const int32_t columns = (outputs - 1) * p->stride_w + p->kernel_w;
        const int32_t x0 = ox * p->stride_w - p->pad_left;
        for (int32_t c = 0; c < in_c; c += 16) {
            pl_mve_depthwise_strip(scratch, rows, taps, c, x0, columns, p);
            w.channel = p->channels + c * p->record;
            w.channel_end = p->channels + (c + pl_mve_next(in_c - c, 16)) * p->record;
            for (int32_t phase = 0; phase < p->phases && phase < outputs; phase++) {
                const int32_t count = (outputs - phase + p->phases - 1) / p->phases;
                w.rounds = (count + round - 1) / round;
                w.last_mask = pl_mve_depthwise_mask(count - (w.rounds - 1) * round, two, n);
                w.x = scratch + phase * 64 * p->quads;
                w.y = y + c + phase * in_c;
                walk(&w, p->walk);
            }
        }
    }
}
