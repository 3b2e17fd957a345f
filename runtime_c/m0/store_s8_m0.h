#pragma once
#include "../portable/common.h"

/* Functions written in Thumb-1 assembly (ARMv6-M and everything above it), with their C equivalent beside
 * them for all other targets. They are called as any function (AAPCS); the compiler must not conclude
 * from the empty-looking body which registers and parameters matter.
 */
#if defined(__GNUC__) && defined(__thumb__) && __ARM_ARCH >= 6
#if defined(__clang__)
#define PL_THUMB __attribute__((naked, noinline, used))
#else
#define PL_THUMB __attribute__((naked, noinline, noipa, used))
#endif
#define PL_PARAMETER __attribute__((unused))

/* Saving and restoring every register that a callee must keep. Arguments beyond the fourth are 36 bytes
 * above the stack pointer afterwards. */
#define PL_THUMB_ENTER                 \
    ".syntax unified\n"                \
    "push {r4, r5, r6, r7, lr}\n"      \
    "mov r4, r8\n"                     \
    "mov r5, r9\n"                     \
    "mov r6, r10\n"                    \
    "mov r7, r11\n"                    \
    "push {r4, r5, r6, r7}\n"
#define PL_THUMB_LEAVE                 \
    "pop {r4, r5, r6, r7}\n"           \
    "mov r8, r4\n"                     \
    "mov r9, r5\n"                     \
    "mov r10, r6\n"                    \
    "mov r11, r7\n"                    \
    "pop {r4, r5, r6, r7, pc}\n"
#endif

/* Drivers gather accumulators of up to this many output channels before they store them. */
enum { PL_M0_BLOCK = 16 };

/* How accumulators of output channels become int8 outputs: as pl_channels_s8, the constants of a channel
 * side by side.
 *
 * table       [channels][3]: bias, multiplier, right shift
 * right_only  all shifts are at least 1
 * Bounds: with the bias, |accumulator| * 2^max(-shift, 0) < 2^30; multiplier in [0, 2^31); shift in
 *         [-30, 31].
 */
typedef struct {
    int32_t zero_point, low, high, right_only;
    const int32_t *table;
} pl_channels_m0;

/* clamp(requantize(acc + bias)) with the constants of one channel, for any shift. */
static inline int8_t pl_requantize_m0(int32_t acc, const int32_t *table, const pl_channels_m0 *c)
{
    const int32_t v = pl_requantize(acc + table[0], table[1], -table[2], c->zero_point);
    return (int8_t)pl_clamp(v, c->low, c->high);
}

#if defined(__GNUC__) && defined(__thumb__) && __ARM_ARCH >= 6
/* Requantizes register v: |v| < 2^30 to [low, high].
 *
 *   r2 multiplier >> 16; r5 multiplier & 0xffff; r6 right shift (1 to 31); r7 zero point; r11 low;
 *   r12 high; r3 and r4 are overwritten
 *
 * With v = vh * 2^16 + vl, vl signed, and the multiplier mh * 2^16 + ml, ml unsigned:
 *   high = (v * m + 2^30) >> 31 = 2 * vh * mh + ((vh * ml + vl * mh + (vl * ml >> 16) + 2^14) >> 15)
 * |vh| <= 2^14 and mh < 2^15 keep every sum within 32 bits. Both right shifts leave the bit below the
 * result in the carry, so that adding with carry rounds.
 */
#define PL_M0_REQUANTIZE(v)                                       \
    "sxth r3, " v "\n"                                            \
    "subs " v ", " v ", r3\n"                                     \
    "asrs " v ", " v ", #16\n"                                    \
    "mov r4, r3\n"                                                \
    "muls r4, r5, r4\n"                                           \
    "asrs r4, r4, #16\n"                                          \
    "muls r3, r2, r3\n"                                           \
    "adds r4, r4, r3\n"                                           \
    "mov r3, r5\n"                                                \
    "muls r3, " v ", r3\n"                                        \
    "adds r4, r4, r3\n"                                           \
    "muls " v ", r2, " v "\n"                                     \
    "lsls " v ", " v ", #1\n"                                     \
    "asrs r4, r4, #15\n"                                          \
    "adcs " v ", r4\n"                                            \
    "asrs r3, " v ", #31\n"                                       \
    "adds " v ", " v ", r3\n"                                     \
    "asrs " v ", r6\n"                                            \
    "adcs " v ", r7\n"                                            \
    "cmp " v ", r11\n"                                            \
    "bge 2f\n"                                                    \
    "mov " v ", r11\n"                                            \
    "2: cmp " v ", r12\n"                                         \
    "ble 3f\n"                                                    \
    "mov " v ", r12\n"                                            \
    "3:\n"
#endif
