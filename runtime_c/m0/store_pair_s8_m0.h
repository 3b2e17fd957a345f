#pragma once
#include "store_s8_m0.h"

/* y[i] and y[i + distance] from acc[i][0] and acc[i][1], for the channels i from y to `end`; `table`
 * begins at the first of them. All shifts of the channels are at least 1.
 */
#if defined(__GNUC__) && defined(__thumb__) && __ARM_ARCH >= 6
static PL_THUMB void pl_store_pair_right_m0(PL_PARAMETER int8_t *y, PL_PARAMETER const int32_t *acc,
                                            PL_PARAMETER const int32_t *table,
                                            PL_PARAMETER const pl_channels_m0 *c,
                                            PL_PARAMETER int32_t distance,
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
                     "ldmia r3!, {r0, r1}\n"
                     "mov r9, r3\n"
                     "adds r0, r0, r4\n"
                     "adds r1, r1, r4\n"
                     "lsrs r2, r5, #16\n"
                     "uxth r5, r5\n"
                     PL_M0_REQUANTIZE("r0")
                     PL_M0_REQUANTIZE("r1")
                     "mov r3, r10\n"
                     "strb r0, [r3]\n"
                     "mov r4, lr\n"
                     "strb r1, [r3, r4]\n"
                     "adds r3, r3, #1\n"
                     "mov r10, r3\n"
                     "ldr r4, [sp, #40]\n"
                     "cmp r3, r4\n"
                     "bne 1b\n"
                     PL_THUMB_LEAVE);
}
#else
static void pl_store_pair_right_m0(int8_t *y, const int32_t *acc, const int32_t *table,
                                   const pl_channels_m0 *c, int32_t distance, const int8_t *end)
{
    for (; y < end; y++, acc += 2, table += 3) {
        y[0] = pl_requantize_m0(acc[0], table, c);
        y[distance] = pl_requantize_m0(acc[1], table, c);
    }
}
#endif

/* The same for any shift. */
static PL_NOINLINE void pl_store_pair_any_m0(int8_t *y, const int32_t *acc, const int32_t *table,
                                             const pl_channels_m0 *c, int32_t distance,
                                             const int8_t *end)
{
    for (; y < end; y++, acc += 2, table += 3) {
        y[0] = pl_requantize_m0(acc[0], table, c);
        y[distance] = pl_requantize_m0(acc[1], table, c);
    }
}

/* n channels from `first` on. */
static inline void pl_store_pair_m0(int8_t *y, int32_t distance, const int32_t *acc, int32_t n,
                                    int32_t first, const pl_channels_m0 *c)
{
    const int32_t *table = c->table + 3 * first;
    if (c->right_only) {
        pl_store_pair_right_m0(y, acc, table, c, distance, y + n);
    } else {
        pl_store_pair_any_m0(y, acc, table, c, distance, y + n);
    }
}
