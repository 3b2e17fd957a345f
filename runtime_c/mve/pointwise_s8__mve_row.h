#pragma once
#include "common_mve.h"

/* Fully-connected of int8 (one pixel), 8 output channels at a time.
 *
 *   y[oc] = clamp(requantize(bias[oc] + sum over ic of x[ic] * weights[oc][ic]))
 *
 * x        [in_c]; y [out_c]; they must not overlap
 * scratch  where in_c is not a multiple of 16: 16 * chunks bytes for a copy of x, else NULL; inputs are read
 *          16 at a time
 * channels per group of 8 channels: 8 biases, 8 multipliers, 8 shifts to the left, all below 0
 * weights  [out_c / 8][chunks][8 channels][16 inputs], filled up with zeros; chunks = in_c / 16, rounded up
 * Bounds: as pl_pointwise_s8.
 */
typedef struct {
    int32_t in_c, chunks, out_c, zero_point, low, high;
    const int32_t *channels;
    const int8_t *weights;
} pl_pointwise_s8__mve_row_params;

#ifdef PL_MVE
#define PL_MVE_ROW_TWO(a, b)                                                                       \
    "vldrb.u8 q1, [r5], #16\n\tvmladava.s8 " a ", q0, q1\n\t"                                      \
    "vldrb.u8 q2, [r5], #16\n\tvmladava.s8 " b ", q0, q2\n\t"
#define PL_MVE_ROW_STEP                                                                            \
    "vldrb.u8 q0, [r1], #16\n\t" PL_MVE_ROW_TWO("r0", "r2") PL_MVE_ROW_TWO("r4", "r6")             \
    PL_MVE_ROW_TWO("r8", "r10") PL_MVE_ROW_TWO("r12", "lr")
#define PL_MVE_ROW_STORE(q, m, s)                                                                  \
    "vqrdmulh.s32 " q ", " q ", " m "\n\tvshr.s32 " m ", " q ", #31\n\tvadd.i32 " q ", " q ", " m  \
    "\n\tvrshl.s32 " q ", " q ", " s "\n\tvadd.i32 " q ", " q ", r2\n\tvmax.s32 " q ", " q         \
    ", q6\n\tvmin.s32 " q ", " q ", q7\n\tvctp.32 r0\n\tsubs r0, #4\n\tvpst\n\tvstrbt.32 " q       \
    ", [r3], #4\n\t"
#endif

/* All groups; x is readable for 16 * chunks elements. */
static PL_NOINLINE void pl_pointwise_s8__mve_row_groups(const int8_t *x, int8_t *y,
                                                        const pl_pointwise_s8__mve_row_params *p)
{
#ifdef PL_MVE
    struct {
        const int8_t *x;
        int32_t steps;
        int8_t *y;
        int32_t left, zero_point, low, high;
    } state = {x, p->chunks + 1, y, p->out_c, p->zero_point, p->low, p->high};
    register void *at __asm__("r11") = &state;
    register const int8_t *weights __asm__("r5") = p->weights;
    register const int32_t *channels __asm__("r9") = p->channels;
    __asm__ volatile("ldrd r0, r2, [r11, #20]\n\t"
                     "vdup.32 q6, r0\n\t"
                     "vdup.32 q7, r2\n"
                     "1:\n\t"
                     "ldm r9!, {r0, r2, r4, r6, r8, r10, r12, lr}\n\t"
                     "ldrd r1, r3, [r11]\n\t"
                     "lsrs r3, r3, #1\n\t"
                     "bcc 3f\n"
                     "2:\n\t" PL_MVE_ROW_STEP "3:\n\t" PL_MVE_ROW_STEP "subs r3, #1\n\t"
                     "bne 2b\n\t"
                     "vmov q0[2], q0[0], r0, r4\n\t"
                     "vmov q0[3], q0[1], r2, r6\n\t"
                     "vmov q1[2], q1[0], r8, r12\n\t"
                     "vmov q1[3], q1[1], r10, lr\n\t"
                     "vldrw.u32 q2, [r9], #16\n\t"
                     "vldrw.u32 q3, [r9], #16\n\t"
                     "vldrw.u32 q4, [r9], #16\n\t"
                     "vldrw.u32 q5, [r9], #16\n\t"
                     "ldrd r3, r0, [r11, #8]\n\t"
                     "ldr r2, [r11, #16]\n\t" PL_MVE_ROW_STORE("q0", "q2", "q4")
                     "ble 4f\n\t" PL_MVE_ROW_STORE("q1", "q3", "q5")
                     "strd r3, r0, [r11, #8]\n\t"
                     "bgt 1b\n"
                     "4:\n\t"
                     : "+&r"(weights), "+&r"(channels)
                     : "r"(at)
                     : "r0", "r1", "r2", "r3", "r4", "r6", "r8", "r10", "r12", "lr", "q0", "q1", "q2",
                       "q3", "q4", "q5", "q6", "q7", "cc", "memory");
#else
    const int8_t *w = p->weights;
    const int32_t *c = p->channels;
    for (int32_t oc = 0; oc < p->out_c; oc += 8, c += 24, w += 128 * p->chunks) {
        for (int32_t i = 0; i < 8 && oc + i < p->out_c; i++) {
            int32_t sum = c[i];
            for (int32_t ic = 0; ic < 16 * p->chunks; ic++) {
                sum += x[ic] * w[ic / 16 * 128 + 16 * i + ic % 16];
            }
            sum = pl_requantize(sum, c[8 + i], c[16 + i], p->zero_point);
            y[oc + i] = (int8_t)pl_clamp(sum, p->low, p->high);
        }
    }
#endif
}

static void pl_pointwise_s8__mve_row(const int8_t *x, int8_t *y, int8_t *scratch,
                                     const pl_pointwise_s8__mve_row_params *p)
{
    if (scratch) {
        memset(scratch + 16 * (p->chunks - 1), 0, 16);
        memcpy(scratch, x, (size_t)p->in_c);
        x = scratch;
    }
    pl_pointwise_s8__mve_row_groups(x, y, p);
}
