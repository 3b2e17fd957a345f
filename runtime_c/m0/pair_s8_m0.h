#pragma once
#include "store_pair_s8_m0.h"

/* Two pixels at once: their activations as x0 + x1 * 2^16 in one word, so that one multiplication by a
 * weight serves both. The sum of two products per pixel has at most 16 bits (|w0| + |w1| <= 255 for each
 * pair of weights, proven when the code was generated), so both sums can be told apart after each pair:
 * the low half is the first pixel's sum, the high half the second's less 1 if the first's is negative.
 */

/* n words x0[i] + x1[i] * 2^16. */
#if defined(__GNUC__) && defined(__thumb__) && __ARM_ARCH >= 6
static PL_THUMB void pl_pair_run_m0(PL_PARAMETER uint32_t *words, PL_PARAMETER const int8_t *x0,
                                    PL_PARAMETER const int8_t *x1, PL_PARAMETER int32_t n)
{
/* Both bytes at index r3 to register d as a word; t is overwritten. */
#define PL_M0_PACK(d, t)            \
    "ldrsb " d ", [r1, r3]\n"       \
    "ldrsb " t ", [r2, r3]\n"       \
    "adds r3, r3, #1\n"             \
    "lsls " t ", " t ", #16\n"      \
    "adds " d ", " d ", " t "\n"
    __asm__ volatile(".syntax unified\n"
                     "push {r4, r5, r6, lr}\n"
                     "adds r1, r1, r3\n"
                     "adds r2, r2, r3\n"
                     "rsbs r3, r3, #0\n" /* index from the end */
                     "b 2f\n"
                     "1:" PL_M0_PACK("r4", "r6") PL_M0_PACK("r5", "r6")
                     "stmia r0!, {r4, r5}\n"
                     PL_M0_PACK("r4", "r6") PL_M0_PACK("r5", "r6")
                     "stmia r0!, {r4, r5}\n"
                     "2: adds r6, r3, #4\n"
                     "ble 1b\n"
                     "b 4f\n"
                     "3:" PL_M0_PACK("r4", "r6")
                     "stmia r0!, {r4}\n"
                     "4: cmp r3, #0\n"
                     "bne 3b\n"
                     "pop {r4, r5, r6, pc}\n");
#undef PL_M0_PACK
}
#else
static void pl_pair_run_m0(uint32_t *words, const int8_t *x0, const int8_t *x1, int32_t n)
{
    for (int32_t i = 0; i < n; i++) {
        words[i] = (uint32_t)x0[i] + ((uint32_t)x1[i] << 16);
    }
}
#endif

/* acc[c][pixel] = sum over i of x[i] of that pixel * w[c][i], i < k = end - x, for the channels c from acc
 * to `acc_end`.
 *
 * x     k words of both pixels, k a multiple of 4 and positive
 * w     per two channels k / 2 words: byte 0 w[c][i], byte 1 w[c][i+1], bytes 2 and 3 of channel c + 1
 * acc   is written for whole pairs of channels
 */
#if defined(__GNUC__) && defined(__thumb__) && __ARM_ARCH >= 6
static PL_THUMB void pl_pair_dot_m0(PL_PARAMETER const uint32_t *x, PL_PARAMETER const int32_t *w,
                                    PL_PARAMETER int32_t *acc, PL_PARAMETER const uint32_t *end,
                                    PL_PARAMETER int32_t *acc_end)
{
/* Two activations of both pixels by two channels' weights. r8 sums the packed products of the first
 * channel, r7 their second pixel; r9 and r10 those of the second channel. There, r11 = 2^15 keeps the
 * low half positive; the first channel's shift leaves the low half's sign in the carry instead. */
#define PL_M0_STEP                     \
    "ldmia r0!, {r2, r3}\n"            \
    "ldmia r1!, {r4}\n"                \
    "sxtb r5, r4\n"                    \
    "muls r5, r2, r5\n"                \
    "lsls r6, r4, #16\n"               \
    "asrs r6, r6, #24\n"               \
    "muls r6, r3, r6\n"                \
    "adds r5, r5, r6\n"                \
    "add r8, r8, r5\n"                 \
    "asrs r5, r5, #16\n"               \
    "adcs r7, r5\n"                    \
    "lsls r5, r4, #8\n"                \
    "asrs r5, r5, #24\n"               \
    "muls r5, r2, r5\n"                \
    "asrs r4, r4, #24\n"               \
    "muls r4, r3, r4\n"                \
    "adds r5, r5, r4\n"                \
    "add r5, r5, r11\n"                \
    "add r9, r9, r5\n"                 \
    "asrs r5, r5, #16\n"               \
    "add r10, r10, r5\n"
    __asm__ volatile(PL_THUMB_ENTER
                     "mov lr, r2\n"
                     "mov r12, r3\n"
                     "movs r4, #1\n"
                     "lsls r4, r4, #15\n"
                     "mov r11, r4\n"
                     "subs r2, r0, r3\n"
                     "mov r4, r2\n"
                     "lsls r2, r2, #12\n" /* less 2^15 per two words */
                     "push {r0, r2, r4}\n"
                     "1: ldr r0, [sp, #0]\n"
                     "ldr r2, [sp, #4]\n"
                     "movs r7, #0\n"
                     "mov r8, r7\n"
                     "mov r9, r2\n"
                     "mov r10, r7\n"
                     "ldr r2, [sp, #8]\n"
                     "lsrs r2, r2, #5\n"
                     "bcs 3f\n" /* an odd number of four words */
                     "2:" PL_M0_STEP PL_M0_STEP
                     "3:" PL_M0_STEP PL_M0_STEP
                     "cmp r0, r12\n"
                     "bne 2b\n"
                     "mov r4, r8\n"
                     "lsls r5, r7, #16\n"
                     "subs r4, r4, r5\n"
                     "mov r5, r7\n"
                     "mov r6, r9\n"
                     "mov r7, r10\n"
                     "lsls r3, r7, #16\n"
                     "subs r6, r6, r3\n"
                     "mov r2, lr\n"
                     "stmia r2!, {r4, r5, r6, r7}\n"
                     "mov lr, r2\n"
                     "ldr r3, [sp, #48]\n"
                     "cmp r2, r3\n"
                     "blo 1b\n"
                     "add sp, sp, #12\n"
                     PL_THUMB_LEAVE);
#undef PL_M0_STEP
}
#else
static void pl_pair_dot_m0(const uint32_t *x, const int32_t *w, int32_t *acc, const uint32_t *end,
                           int32_t *acc_end)
{
    for (; acc < acc_end; acc += 4) {
        acc[0] = acc[1] = acc[2] = acc[3] = 0;
        for (const uint32_t *v = x; v < end; v += 2, w++) {
            for (int32_t c = 0; c < 2; c++) {
                const uint32_t u = (uint32_t)*w >> 16 * c;
                const uint32_t w0 = (uint32_t)(int8_t)(u & 255), w1 = (uint32_t)(int8_t)(u >> 8 & 255);
                const uint32_t sum = v[0] * w0 + v[1] * w1;
                const int32_t low = (int16_t)(sum & 0xffff);
                acc[2 * c] += low;
                acc[2 * c + 1] += (int32_t)(sum - (uint32_t)low) >> 16;
            }
        }
    }
}
#endif

/* Zero words up to a multiple of four words from the start of the scratch; where they end. */
static inline const uint32_t *pl_pair_pad_m0(const uint32_t *start, uint32_t *end)
{
    for (; (end - start) & 3; end++) {
        *end = 0;
    }
    return end;
}

/* The same sums added to acc[n]: those of a further segment of the activations. */
static PL_NOINLINE void pl_pair_add_dot_m0(const uint32_t *x, const int32_t *w, int32_t *acc,
                                           const uint32_t *end, int32_t n)
{
    int32_t part[2 * PL_M0_BLOCK];
    pl_pair_dot_m0(x, w, part, end, part + n);
    for (int32_t i = 0; i < n; i++) {
        acc[i] += part[i];
    }
}
