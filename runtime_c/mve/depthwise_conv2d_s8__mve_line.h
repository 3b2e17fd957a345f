#pragma once
#include "depthwise_common_mve.h"

/* Depthwise 1-D convolution of int8 with stride 1, one output per input channel.
 *
 *   y[t][c] = clamp(requantize(bias[c] + sum over k of x[t + k - before][c] * weights[k][c]))
 *
 * x        [in_t][in_c], zero points around it; y [out_t][in_c]; they must not overlap
 * scratch  64 * (tile / 4 + 4 * (1 + steps)) bytes: a strip as in depthwise_common_mve.h, whose rows are 4
 *          elements side by side in time
 * pad      in_c elements, all equal to the input's zero point; kernel: weights per channel
 * tile     outputs per strip, a multiple of 8
 * channels [in_c][record]: weights [1 + steps][4][16], of which the i-th vectors have the kernel i lanes
 *          further up; bias, multiplier, shift and zero point as in pl_mve_walk
 * Bounds: as pl_depthwise_conv2d_s8; 8 * in_c < 65536.
 */
typedef struct {
    int32_t in_t, in_c, out_t, before, kernel, steps, tile, record, low, high;
    const int8_t *pad;
    const int32_t *channels;
} pl_depthwise_conv2d_s8__mve_line_params;

#ifdef PL_MVE
#define PL_MVE_LINE_TWO(mla, a, b)                                                                 \
    "vldrw.u32 q5, [r5], #16\n\t" mla ".s8 " a ", q2, q5\n\t" mla ".s8 " b ", q3, q5\n\t"
#define PL_MVE_LINE_STEP(mla)                                                                      \
    "vldrw.u32 q2, [r1, q0]\n\tvldrw.u32 q3, [r1, q1]\n\t" PL_MVE_LINE_TWO(mla, "r0", "r8")        \
    PL_MVE_LINE_TWO(mla, "r2", "r10") PL_MVE_LINE_TWO(mla, "r4", "r12")                            \
    PL_MVE_LINE_TWO(mla, "r6", "lr")
#endif

/* A walk with 4 outputs per window and two windows per round: lane 2j is output j of window 0, lane 2j + 1
 * output j of window 1. `back` counts from the first vector of a window.
 */
static PL_NOINLINE void pl_depthwise_conv2d_s8__mve_line_walk(pl_mve_walk *w)
{
#ifdef PL_MVE
    register pl_mve_walk *walk __asm__("r11") = w;
    __asm__ volatile(PL_MVE_OFFSETS PL_MVE_ROUND
                     "2:\n\t"
                     "ldr r3, [r11, #36]\n\t" PL_MVE_LINE_STEP("vmladav")
                     "cbz r3, 4f\n"
                     "3:\n\t"
                     "add r1, r1, #256\n\t" PL_MVE_LINE_STEP("vmladava")
                     "subs r3, #1\n\t"
                     "bne 3b\n"
                     "4:\n\t" PL_MVE_GATHER PL_MVE_REQUANT PL_MVE_PUT PL_MVE_BACK PL_MVE_NEXT
                     :
                     : "r"(walk)
                     : PL_MVE_CLOBBERS);
#else
    const int8_t *x = w->x;
    int8_t *y = w->y;
    for (const int32_t *c = w->channel; c < w->channel_end; x += 4, y++) {
        const int8_t *weights = (const int8_t *)(const void *)c;
        c += (1 + w->steps) * 16 + 4;
        for (int32_t i = 0; i < 8 * w->rounds; i++) {
            const int32_t lane = i % 8, window = lane & 1;
            const int8_t *from = x + i / 8 * w->x_step;
            const uint32_t mask = i / 8 == w->rounds - 1 ? w->last_mask : w->mask;
            int32_t sum = c[-4];
            if ((mask >> (2 * lane) & 1u) == 0u) {
                continue;
            }
            for (int32_t v = 0; v < 16 * (1 + w->steps); v++) {
                const uint32_t at = w->windows[window][v / 4 % 4] + (uint32_t)(v / 16 * 256 + v % 4);
                sum += from[at] * weights[(v / 16 * 4 + lane / 2) * 16 + v % 16];
            }
            sum = pl_requantize(sum, c[-3], c[-2], (int16_t)(c[-1] & 0xffff));
            y[i / 8 * w->y_step + w->places[lane]] = (int8_t)pl_clamp(sum, w->low, w->high);
        }
    }
#endif
}

/* Elements t0 to t0 + n - 1 in time of channels c to c + 15 as a strip. */
static PL_NOINLINE void pl_depthwise_conv2d_s8__mve_line_strip(
    int8_t *to, const int8_t *x, int32_t c, int32_t t0, int32_t n,
    const pl_depthwise_conv2d_s8__mve_line_params *p)
{
    const int32_t in_c = p->in_c, channels = pl_mve_next(in_c - c, 16);
    for (int32_t t = t0; t < t0 + n;) {
        /* Groups of 4 elements that are all inside, or a single group. */
        const int32_t inside = t < 0 ? 0 : (p->in_t - t) >> 2, wanted = (t0 + n - t) >> 2;
        const int32_t whole = inside < wanted ? inside : wanted, count = whole > 0 ? whole : 1;
        const int8_t *from[4];
        for (int32_t i = 0; i < 4; i++) {
            const int32_t outside = t + i < 0 || t + i >= p->in_t;
            from[i] = (outside ? p->pad : x + (ptrdiff_t)(t + i) * in_c) + c;
        }
        pl_mve_strip4(to, from, count, 4 * in_c, channels, 64);
        t += 4 * count;
        to += 64 * count;
    }
}

static void pl_depthwise_conv2d_s8__mve_line(const int8_t *x, int8_t *y, int8_t *scratch,
                                             const pl_depthwise_conv2d_s8__mve_line_params *p)
{
    const int32_t in_c = p->in_c;
    pl_mve_walk w;
    w.steps = p->steps;
    w.low = p->low;
    w.high = p->high;
    w.x_step = 128;
    w.y_step = 8 * in_c;
    w.back = 4 - 256 * p->steps;
    w.mask = 0xffffu;
    for (int32_t i = 0; i < 4; i++) {
        for (int32_t j = 0; j < 4; j++) {
            w.windows[i][j] = (uint32_t)(64 * (i + j));
        }
        w.places[2 * i] = (uint16_t)(i * in_c);
        w.places[2 * i + 1] = (uint16_t)((4 + i) * in_c);
    }
    for (int32_t t = 0; t < p->out_t; t += p->tile, y += p->tile * in_c) {
        const int32_t outputs = pl_mve_next(p->out_t - t, p->tile);
        const int32_t rounds = (outputs + 7) >> 3, last = outputs - 8 * (rounds - 1);
        w.last_mask = 0;
        for (int32_t i = 0; i < last; i++) {
            w.last_mask |= 3u << (i < 4 ? 4 * i : 4 * (i - 4) + 2);
        }
        for (int32_t c = 0; c < in_c; c += 16) {
            pl_depthwise_conv2d_s8__mve_line_strip(scratch, x, c, t - p->before,
                                                   outputs + p->kernel - 1, p);
            w.channel = p->channels + c * p->record;
            w.channel_end = p->channels + (c + pl_mve_next(in_c - c, 16)) * p->record;
            w.rounds = rounds;
            w.x = scratch;
            w.y = y + c;
            pl_depthwise_conv2d_s8__mve_line_walk(&w);
        }
    }
}
