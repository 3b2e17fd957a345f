#pragma once
#include "depthwise_rows_mve.h"

/* Depthwise 2-D convolution of int8 with windows of one vector: 16 taps, zeros included. The contract is
 * that of depthwise_rows_mve.h, walks PL_MVE_TWO to PL_MVE_ONE; with two rows, stride and quads are 1.
 */
enum { PL_MVE_TWO = 0, PL_MVE_TWO_UP = 1, PL_MVE_ONE = 2 };

/* Windows of one vector, two rows: the weights of the second are those of the first, a row further. */
static PL_NOINLINE void pl_depthwise_conv2d_s8__mve_two(pl_mve_walk *w)
{
    PL_MVE_RUN(w, PL_MVE_OFFSETS PL_MVE_ROUND
                  "2:\n\t" PL_MVE_SHIFTED PL_MVE_FOUR2("vmladav") PL_MVE_GATHER
                  PL_MVE_REQUANT PL_MVE_PUT "adds r1, #4\n\t" PL_MVE_NEXT);
}

/* The same where ties may go up. */
static PL_NOINLINE void pl_depthwise_conv2d_s8__mve_two_up(pl_mve_walk *w)
{
    PL_MVE_RUN(w, PL_MVE_OFFSETS PL_MVE_ROUND
                  "2:\n\t" PL_MVE_SHIFTED PL_MVE_FOUR2("vmladav") PL_MVE_GATHER
                  PL_MVE_REQUANT_UP PL_MVE_PUT "adds r1, #4\n\t" PL_MVE_NEXT);
}

/* Windows of one vector, one row. */
static PL_NOINLINE void pl_depthwise_conv2d_s8__mve_one(pl_mve_walk *w)
{
    PL_MVE_RUN(w, PL_MVE_OFFSETS PL_MVE_ROUND
                  "2:\n\t" PL_MVE_WEIGHTS1 PL_MVE_FOUR1("vmladav", "r0", "r2", "r4", "r6")
                  "ldr r8, [r11, #48]\n\t"
                  "add r1, r1, r8\n\t" PL_MVE_FOUR1("vmladav", "r8", "r10", "r12", "lr")
                  PL_MVE_GATHER PL_MVE_REQUANT PL_MVE_PUT PL_MVE_BACK PL_MVE_NEXT);
}

static inline void pl_depthwise_conv2d_s8__mve_walk(pl_mve_walk *w, int32_t walk)
{
    if (walk == PL_MVE_TWO) {
        pl_depthwise_conv2d_s8__mve_two(w);
    } else if (walk == PL_MVE_TWO_UP) {
        pl_depthwise_conv2d_s8__mve_two_up(w);
    } else {
        pl_depthwise_conv2d_s8__mve_one(w);
    }
}

static void pl_depthwise_conv2d_s8__mve(const void *const *rows, int8_t *y, int32_t n,
                                        int8_t *scratch, const pl_mve_depthwise *p)
{
    pl_mve_depthwise_rows(rows, y, n, scratch, p, pl_depthwise_conv2d_s8__mve_walk);
}
