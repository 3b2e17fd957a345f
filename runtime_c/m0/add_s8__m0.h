#pragma once
#include "store_s8_m0.h"

/* Sum of int8 tensors of the same shape, where the scale of `a` is the larger one.
 *
 *   part_b = rescale((b - zero_b) << 20, multiplier_b, -right_b)
 *   y = clamp(requantize(((a - zero_a) << 19) + part_b, multiplier_y, -right_y, zero_y), low, high)
 *
 * In the fixed-point addition of TFLite the operand with the larger scale is halved exactly; which operand
 * that is makes no difference to the sum.
 *
 * offset       -zero_a * 2^19
 * high_b, low_b   multiplier_b >> 16 and multiplier_b & 0xffff; the factor 2^31 is allowed
 * Aliasing: y may be a or b. No scratch.
 * Bounds: right shifts from 1 to 31; multiplier_y in [0, 2^31). The first rounding of b is
 * (b * high_b << 5) + (b * low_b + 2^10 >> 11), |b - zero_b| <= 255; sums stay below 2^29.
 */
typedef struct {
    int32_t zero_y, low, high, right_y, multiplier_y;
    int32_t zero_b, low_b, high_b, right_b, offset;
} pl_add_s8__m0_params;

#if defined(__GNUC__) && defined(__thumb__) && __ARM_ARCH >= 6
static PL_THUMB void pl_add_s8__m0(PL_PARAMETER const int8_t *a, PL_PARAMETER const int8_t *b,
                                   PL_PARAMETER int8_t *y, PL_PARAMETER int32_t n,
                                   PL_PARAMETER const pl_add_s8__m0_params *p)
{
    /* r8, r9 and lr point behind a, b and y, r10 is the (negative) index; the constants of b lie on the
     * stack. The bit that a right shift loses last is in the carry, so that adding with carry rounds. */
    __asm__ volatile(PL_THUMB_ENTER
                     "adds r0, r0, r3\n"
                     "adds r1, r1, r3\n"
                     "adds r2, r2, r3\n"
                     "mov r8, r0\n"
                     "mov r9, r1\n"
                     "mov lr, r2\n"
                     "rsbs r3, r3, #0\n"
                     "mov r10, r3\n"
                     "ldr r0, [sp, #36]\n"
                     "ldmia r0!, {r1, r2, r3, r6, r7}\n"
                     "mov r11, r2\n"
                     "mov r12, r3\n"
                     "ldmia r0!, {r2, r3, r4, r5}\n"
                     "ldr r0, [r0]\n"
                     "push {r0, r2, r3, r4, r5}\n"
                     "lsrs r2, r7, #16\n"
                     "uxth r5, r7\n"
                     "mov r7, r1\n"
                     "1: mov r4, r10\n"
                     "mov r3, r8\n"
                     "ldrsb r0, [r3, r4]\n"
                     "mov r3, r9\n"
                     "ldrsb r1, [r3, r4]\n"
                     "ldr r3, [sp, #4]\n"
                     "subs r1, r1, r3\n"
                     "ldr r3, [sp, #8]\n"
                     "muls r3, r1, r3\n"
                     "ldr r4, [sp, #12]\n"
                     "muls r1, r4, r1\n"
                     "lsls r1, r1, #5\n"
                     "asrs r3, r3, #11\n"
                     "adcs r1, r3\n"
                     "asrs r3, r1, #31\n"
                     "adds r1, r1, r3\n"
                     "ldr r3, [sp, #16]\n"
                     "ldr r4, [sp, #0]\n"
                     "asrs r1, r3\n"
                     "adcs r1, r4\n"
                     "lsls r0, r0, #19\n"
                     "adds r0, r0, r1\n"
                     PL_M0_REQUANTIZE("r0")
                     "mov r4, r10\n"
                     "mov r3, lr\n"
                     "strb r0, [r3, r4]\n"
                     "adds r4, r4, #1\n"
                     "mov r10, r4\n"
                     "bne 1b\n"
                     "add sp, sp, #20\n"
                     PL_THUMB_LEAVE);
}
#else
static void pl_add_s8__m0(const int8_t *a, const int8_t *b, int8_t *y, int32_t n,
                          const pl_add_s8__m0_params *p)
{
    for (int32_t i = 0; i < n; i++) {
        const int32_t x = b[i] - p->zero_b;
        const int32_t once = x * p->high_b * 32 + ((x * p->low_b + 1024) >> 11);
        const int32_t half = (int32_t)((1u << p->right_b) >> 1);
        const int32_t part_b = (once + (once >> 31) + half) >> p->right_b;
        const int32_t sum = a[i] * (1 << 19) + p->offset + part_b;
        const int32_t v = pl_requantize(sum, p->multiplier_y, -p->right_y, p->zero_y);
        y[i] = (int8_t)pl_clamp(v, p->low, p->high);
    }
}
#endif
