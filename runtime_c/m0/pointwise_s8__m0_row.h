#pragma once
#include "store_s8_m0.h"

/* acc[c] = sum over i < k of x[i] * w[c][i], k = end - x, for the channels c from acc to `acc_end`.
 *
 * k         a positive multiple of 4
 * w         per four channels and four activations a word of each channel: w3 * 2^24 + (w2 + 128) * 2^16
 *           + (w1 + 128) * 2^8 + (w0 + 128); the shifted word w >> 8 * i then needs no masking, see below
 * acc       is written for whole groups of four channels
 * centre    -128 * sum over the i that are not 3 modulo 4 of x[i]
 *
 * What lies above byte i of the word is multiplied, too, and taken away again by the next activation:
 * with y0 = x0 and y[i] = x[i] - 256 * x[i-1], the sum of (w >> 8 * i) * y[i] is that of byte i * x[i].
 */
#if defined(__GNUC__) && defined(__thumb__) && __ARM_ARCH >= 6
static PL_THUMB void pl_row_dot_m0(PL_PARAMETER const int8_t *x, PL_PARAMETER const int32_t *w,
                                   PL_PARAMETER int32_t *acc, PL_PARAMETER const int8_t *end,
                                   PL_PARAMETER int32_t *acc_end, PL_PARAMETER int32_t centre)
{
#define PL_M0_LOAD(d, i)          \
    "movs r7, #" i "\n"           \
    "ldrsb " d ", [r0, r7]\n"
#define PL_M0_LESS(d, before)     \
    "lsls r7, " before ", #8\n"   \
    "subs " d ", " d ", r7\n"
#define PL_M0_CHANNEL(sum)        \
    "ldmia r1!, {r6}\n"           \
    "asrs r7, r6, #8\n"           \
    "muls r7, r3, r7\n"           \
    "add " sum ", " sum ", r7\n"  \
    "asrs r7, r6, #16\n"          \
    "muls r7, r4, r7\n"           \
    "add " sum ", " sum ", r7\n"  \
    "asrs r7, r6, #24\n"          \
    "muls r7, r5, r7\n"           \
    "add " sum ", " sum ", r7\n"  \
    "muls r6, r2, r6\n"           \
    "add " sum ", " sum ", r6\n"
    __asm__ volatile(PL_THUMB_ENTER
                     "mov lr, r2\n"
                     "mov r12, r3\n"
                     "push {r0}\n"
                     "1: ldr r0, [sp, #0]\n"
                     "ldr r7, [sp, #44]\n"
                     "mov r8, r7\n"
                     "mov r9, r7\n"
                     "mov r10, r7\n"
                     "mov r11, r7\n"
                     "2:" PL_M0_LOAD("r2", "0") PL_M0_LOAD("r3", "1") PL_M0_LOAD("r4", "2")
                     PL_M0_LOAD("r5", "3")
                     "adds r0, r0, #4\n"
                     PL_M0_LESS("r5", "r4") PL_M0_LESS("r4", "r3") PL_M0_LESS("r3", "r2")
                     PL_M0_CHANNEL("r8") PL_M0_CHANNEL("r9") PL_M0_CHANNEL("r10")
                     PL_M0_CHANNEL("r11")
                     "cmp r0, r12\n"
                     "bne 2b\n"
                     "mov r2, lr\n"
                     "mov r4, r8\n"
                     "mov r5, r9\n"
                     "mov r6, r10\n"
                     "mov r7, r11\n"
                     "stmia r2!, {r4, r5, r6, r7}\n"
                     "mov lr, r2\n"
                     "ldr r3, [sp, #40]\n"
                     "cmp r2, r3\n"
                     "blo 1b\n"
                     "add sp, sp, #4\n"
                     PL_THUMB_LEAVE);
#undef PL_M0_LOAD
#undef PL_M0_LESS
#undef PL_M0_CHANNEL
}
#else
static void pl_row_dot_m0(const int8_t *x, const int32_t *w, int32_t *acc, const int8_t *end,
                          int32_t *acc_end, int32_t centre)
{
    for (; acc < acc_end; acc += 4) {
        uint32_t sum[4];
        for (int32_t c = 0; c < 4; c++) {
            sum[c] = (uint32_t)centre;
        }
        for (const int8_t *v = x; v < end; v += 4) {
            for (int32_t c = 0; c < 4; c++, w++) {
                for (int32_t i = 0; i < 4; i++) {
                    const int32_t y = v[i] - (i ? 256 * v[i - 1] : 0);
                    sum[c] += (uint32_t)(*w >> 8 * i) * (uint32_t)y;
                }
            }
        }
        for (int32_t c = 0; c < 4; c++) {
            acc[c] = (int32_t)sum[c];
        }
    }
}
#endif

/* y[i] from acc[i], for the channels i from y to `end`; `table` begins at the first of them. All shifts of
 * the channels are at least 1.
 */
#if defined(__GNUC__) && defined(__thumb__) && __ARM_ARCH >= 6
static PL_THUMB void pl_store_right_m0(PL_PARAMETER int8_t *y, PL_PARAMETER const int32_t *acc,
                                       PL_PARAMETER const int32_t *table,
                                       PL_PARAMETER const pl_channels_m0 *c,
                                       PL_PARAMETER const int8_t *end)
{
    __asm__ volatile(PL_THUMB_ENTER
                     "mov r10, r0\n"
                     "mov r9, r1\n"
                     "mov r8, r2\n"
                     "ldmia r3!, {r5, r6, r7}\n"
                     "mov r11, r6\n"
                     "mov r12, r7\n"
                     "mov r7, r5\n"
                     "ldr r6, [sp, #36]\n"
                     "mov lr, r6\n"
                     "1: mov r3, r8\n"
                     "ldmia r3!, {r4, r5, r6}\n"
                     "mov r8, r3\n"
                     "mov r3, r9\n"
                     "ldmia r3!, {r0}\n"
                     "mov r9, r3\n"
                     "adds r0, r0, r4\n"
                     "lsrs r2, r5, #16\n"
                     "uxth r5, r5\n"
                     PL_M0_REQUANTIZE("r0")
                     "mov r3, r10\n"
                     "strb r0, [r3]\n"
                     "adds r3, r3, #1\n"
                     "mov r10, r3\n"
                     "cmp r3, lr\n"
                     "bne 1b\n"
                     PL_THUMB_LEAVE);
}
#else
static void pl_store_right_m0(int8_t *y, const int32_t *acc, const int32_t *table,
                              const pl_channels_m0 *c, const int8_t *end)
{
    for (; y < end; y++, acc++, table += 3) {
        y[0] = pl_requantize_m0(acc[0], table, c);
    }
}
#endif

/* Fully-connected of one row, or 1x1 convolution of one pixel, of int8.
 *
 *   y[oc] = clamp(requantize(bias[oc] + sum over ic of x[ic] * weights[oc][ic]))
 *
 * x        [in_c], in_c a multiple of 4; y [out_c]; they must not overlap
 * weights  the words of pl_row_dot_m0, channels filled up to a multiple of 4
 * bias     has -zero_point * sum(weights) merged in
 * No scratch. Bounds: |accumulator| < 2^30 for any input (proven when the code was generated).
 */
typedef struct {
    int32_t in_c, out_c;
    pl_channels_m0 channels;
    const int32_t *weights;
} pl_pointwise_s8__m0_row_params;

static void pl_pointwise_s8__m0_row(const int8_t *x, int8_t *y, const pl_pointwise_s8__m0_row_params *p)
{
    const int32_t out_c = p->out_c;
    const int8_t *end = x + p->in_c;
    const int32_t *w = p->weights, *table = p->channels.table;
    int32_t sum = 0;
    for (const int8_t *v = x; v < end; v += 4) {
        sum += v[0] + v[1] + v[2];
    }
    for (int32_t oc = 0, n; oc < out_c; oc += n, y += n) {
        int32_t acc[PL_M0_BLOCK];
        n = out_c - oc < PL_M0_BLOCK ? out_c - oc : PL_M0_BLOCK;
        pl_row_dot_m0(x, w, acc, end, acc + n, -128 * sum);
        w += (n + 3) / 4 * p->in_c;
        if (p->channels.right_only) {
            pl_store_right_m0(y, acc, table, &p->channels, y + n);
            table += 3 * n;
        } else {
            for (int32_t i = 0; i < n; i++, table += 3) {
                y[i] = pl_requantize_m0(acc[i], table, &p->channels);
            }
        }
    }
}
