#pragma once
#include "depthwise_rows_mve.h"

/* Depthwise 2-D convolution of int8 with windows of several vectors of 16 taps, zeros included. The
 * contract is that of depthwise_rows_mve.h, walks PL_MVE_WIDE_TWO to PL_MVE_NEAR4_ONE.
 */
enum {
    PL_MVE_WIDE_TWO = 3,
    PL_MVE_WIDE_ONE = 4,
    PL_MVE_NEAR3 = PL_MVE_NEAR,
    PL_MVE_NEAR4 = PL_MVE_NEAR + 1,
    PL_MVE_NEAR4_ONE = PL_MVE_NEAR + 2
};

/* Windows of several vectors, two rows. */
static PL_NOINLINE void pl_depthwise_conv2d_s8__mve_wide_two(pl_mve_walk *w)
{
    PL_MVE_RUN(w, PL_MVE_OFFSETS PL_MVE_ROUND
                  "2:\n\t"
                  "ldr r3, [r11, #36]\n\t" PL_MVE_WEIGHTS2 PL_MVE_FOUR2("vmladav")
                  "3:\n\t"
                  "add r1, r1, #256\n\t" PL_MVE_WEIGHTS2 PL_MVE_FOUR2("vmladava")
                  "subs r3, #1\n\t"
                  "bne 3b\n\t"
                  PL_MVE_GATHER PL_MVE_REQUANT PL_MVE_PUT PL_MVE_BACK PL_MVE_NEXT);
}

/* Windows of several vectors, one row. */
static PL_NOINLINE void pl_depthwise_conv2d_s8__mve_wide_one(pl_mve_walk *w)
{
    PL_MVE_RUN(w, PL_MVE_OFFSETS PL_MVE_ROUND
                  "2:\n\t"
                  "mov r12, r5\n\t"
                  "ldr r3, [r11, #36]\n\t" PL_MVE_WEIGHTS1
                  PL_MVE_FOUR1("vmladav", "r0", "r2", "r4", "r6")
                  "3:\n\t"
                  "add r1, r1, #256\n\t" PL_MVE_WEIGHTS1
                  PL_MVE_FOUR1("vmladava", "r0", "r2", "r4", "r6")
                  "subs r3, #1\n\t"
                  "bne 3b\n\t"
                  "ldr r8, [r11, #48]\n\t"
                  "add r1, r1, r8\n\t"
                  "mov r5, r12\n\t"
                  "ldr r3, [r11, #36]\n\t" PL_MVE_WEIGHTS1
                  PL_MVE_FOUR1("vmladav", "r8", "r10", "r12", "lr")
                  "4:\n\t"
                  "add r1, r1, #256\n\t" PL_MVE_WEIGHTS1
                  PL_MVE_FOUR1("vmladava", "r8", "r10", "r12", "lr")
                  "subs r3, #1\n\t"
                  "bne 4b\n\t"
                  PL_MVE_GATHER PL_MVE_REQUANT PL_MVE_PUT PL_MVE_BACK PL_MVE_NEXT);
}

/* Windows of 3 vectors that are one vector apart, two rows. */
static PL_NOINLINE void pl_depthwise_conv2d_s8__mve_wide_near3(pl_mve_walk *w)
{
    PL_MVE_RUN(w, PL_MVE_ROUND
                  "2:\n\t" PL_MVE_NEAR_LOAD6
                  PL_MVE_NEAR1("vmladav", "q0", "q1", "q2", "q3")
                  PL_MVE_NEAR2("vmladav", "q0", "q1", "q2", "q3")
                  PL_MVE_NEAR1("vmladava", "q1", "q2", "q3", "q4")
                  PL_MVE_NEAR2("vmladava", "q1", "q2", "q3", "q4")
                  PL_MVE_NEAR1("vmladava", "q2", "q3", "q4", "q5")
                  PL_MVE_NEAR2("vmladava", "q2", "q3", "q4", "q5")
                  PL_MVE_GATHER PL_MVE_REQUANT PL_MVE_PUT PL_MVE_BACK PL_MVE_NEXT);
}

/* Windows of 4 vectors that are one vector apart, two rows. */
static PL_NOINLINE void pl_depthwise_conv2d_s8__mve_wide_near4(pl_mve_walk *w)
{
    PL_MVE_RUN(w, PL_MVE_ROUND
                  "2:\n\t" PL_MVE_NEAR_LOAD7
                  PL_MVE_NEAR1("vmladav", "q0", "q1", "q2", "q3")
                  PL_MVE_NEAR2("vmladav", "q0", "q1", "q2", "q3")
                  PL_MVE_NEAR1("vmladava", "q1", "q2", "q3", "q4")
                  PL_MVE_NEAR2("vmladava", "q1", "q2", "q3", "q4")
                  PL_MVE_NEAR1("vmladava", "q2", "q3", "q4", "q5")
                  PL_MVE_NEAR2("vmladava", "q2", "q3", "q4", "q5")
                  PL_MVE_NEAR1("vmladava", "q3", "q4", "q5", "q6")
                  PL_MVE_NEAR2("vmladava", "q3", "q4", "q5", "q6")
                  PL_MVE_GATHER PL_MVE_REQUANT PL_MVE_PUT PL_MVE_BACK PL_MVE_NEXT);
}

/* Windows of 4 vectors that are one vector apart, one row. */
static PL_NOINLINE void pl_depthwise_conv2d_s8__mve_wide_near4_one(pl_mve_walk *w)
{
    PL_MVE_RUN(w, PL_MVE_ROUND
                  "2:\n\t" PL_MVE_NEAR_LOAD7
                  PL_MVE_NEAR1("vmladav", "q0", "q1", "q2", "q3")
                  PL_MVE_NEAR1("vmladava", "q1", "q2", "q3", "q4")
                  PL_MVE_NEAR1("vmladava", "q2", "q3", "q4", "q5")
                  PL_MVE_NEAR1("vmladava", "q3", "q4", "q5", "q6")
                  "ldr r8, [r11, #48]\n\t"
                  "add r1, r1, r8\n\t"
                  "sub r5, r5, #64\n\t" PL_MVE_NEAR_LOAD7
                  PL_MVE_NEAR2("vmladav", "q0", "q1", "q2", "q3")
                  PL_MVE_NEAR2("vmladava", "q1", "q2", "q3", "q4")
                  PL_MVE_NEAR2("vmladava", "q2", "q3", "q4", "q5")
                  PL_MVE_NEAR2("vmladava", "q3", "q4", "q5", "q6")
                  PL_MVE_GATHER PL_MVE_REQUANT PL_MVE_PUT PL_MVE_BACK PL_MVE_NEXT);
}

static inline void pl_depthwise_conv2d_s8__mve_wide_walk(pl_mve_walk *w, int32_t walk)
{
    if (walk == PL_MVE_WIDE_TWO) {
        pl_depthwise_conv2d_s8__mve_wide_two(w);
    } else if (walk == PL_MVE_WIDE_ONE) {
        pl_depthwise_conv2d_s8__mve_wide_one(w);
    } else if (walk == PL_MVE_NEAR3) {
        pl_depthwise_conv2d_s8__mve_wide_near3(w);
    } else if (walk == PL_MVE_NEAR4) {
        pl_depthwise_conv2d_s8__mve_wide_near4(w);
    } else {
        pl_depthwise_conv2d_s8__mve_wide_near4_one(w);
    }
}

static void pl_depthwise_conv2d_s8__mve_wide(const void *const *rows, int8_t *y, int32_t n,
                                             int8_t *scratch, const pl_mve_depthwise *p)
{
    pl_mve_depthwise_rows(rows, y, n, scratch, p, pl_depthwise_conv2d_s8__mve_wide_walk);
}
