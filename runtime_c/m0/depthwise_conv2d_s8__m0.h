#pragma once
#include "store_s8_m0.h"

/* What all channels of a call have in common; see pl_depthwise_channel_right_m0. `span` is step * number of
 * columns, `skip` and `weights` are in bytes.
 */
typedef struct {
    int32_t zero_point, low, high, skip, step, distance, span, weights;
} pl_depthwise_job_m0;

/* One output channel, two pixels per column: for i = 0, step, ... below span
 *
 *   y[i], y[i + distance] =
 *       clamp(requantize(bias + sum over j of x[i / step * s + j] of that pixel * w[j]))
 *
 * x         words x0 + x1 * 2^16 of two pixels
 * w         three weights per word: bytes 0, 1 and 3
 * weights   bytes of those words
 * skip      what is left of s words after one word per weight, in bytes
 * constants bias, multiplier and shift of the channel
 *
 * The sum of the first two products of a word has at most 16 bits (proven when the code was generated),
 * so that both pixels' sums can be told apart: see pair_s8_m0.h.
 */
static PL_NOINLINE void pl_depthwise_channel_any_m0(const uint32_t *x, const int32_t *w,
                                                    const int32_t *constants,
                                                    const pl_depthwise_job_m0 *job, int8_t *y)
{
    const pl_channels_m0 c = {job->zero_point, job->low, job->high, 0, NULL};
    const int32_t *end = w + job->weights / 4;
    for (const int8_t *last = y + job->span; y < last; y += job->step, x += job->skip / 4) {
        int32_t first = 0, second = 0;
        for (const int32_t *v = w; v < end; v++) {
            for (int32_t i = 0; i < 3; i++, x++) {
                const int32_t weight = (int8_t)((uint32_t)*v >> (i < 2 ? 8 * i : 24) & 255);
                const int32_t low = (int16_t)(*x & 0xffff);
                first += low * weight;
                second += ((int32_t)(*x - (uint32_t)low) >> 16) * weight;
            }
        }
        y[0] = pl_requantize_m0(first, constants, &c);
        y[job->distance] = pl_requantize_m0(second, constants, &c);
    }
}

/* The same for a shift of at least 1. */
#if defined(__GNUC__) && defined(__thumb__) && __ARM_ARCH >= 6
static PL_THUMB void pl_depthwise_channel_right_m0(PL_PARAMETER const uint32_t *x,
                                                   PL_PARAMETER const int32_t *w,
                                                   PL_PARAMETER const int32_t *constants,
                                                   PL_PARAMETER const pl_depthwise_job_m0 *job,
                                                   PL_PARAMETER int8_t *y)
{
    /* r8 sums the packed products, r7 their high halves; a low half's sign is in the carry after the
     * shift. On the stack: w, skip, step, distance, end of y, and what PL_M0_REQUANTIZE wants in r2, the
     * bias, and what it wants in r5, r6 and r7. */
    __asm__ volatile(PL_THUMB_ENTER
                     "mov r9, r3\n"
                     "ldr r7, [r3]\n"
                     "ldmia r2!, {r4, r5, r6}\n"
                     "lsrs r3, r5, #16\n"
                     "uxth r5, r5\n"
                     "push {r3, r4, r5, r6, r7}\n"
                     "mov r7, r9\n"
                     "adds r7, r7, #4\n"
                     "ldmia r7!, {r2, r3}\n"
                     "mov r11, r2\n"
                     "mov r12, r3\n"
                     "ldmia r7!, {r2, r3, r4, r5, r6}\n"
                     "ldr r7, [sp, #56]\n"
                     "mov lr, r7\n"
                     "adds r5, r5, r7\n"
                     "adds r6, r6, r1\n"
                     "mov r10, r6\n"
                     "push {r1, r2, r3, r4, r5}\n"
                     "1: ldr r1, [sp, #0]\n"
                     "movs r7, #0\n"
                     "mov r8, r7\n"
                     "2: ldmia r0!, {r2, r3, r4}\n"
                     "ldmia r1!, {r5}\n"
                     "sxtb r6, r5\n"
                     "muls r6, r2, r6\n"
                     "lsls r2, r5, #16\n"
                     "asrs r2, r2, #24\n"
                     "muls r2, r3, r2\n"
                     "adds r6, r6, r2\n"
                     "add r8, r8, r6\n"
                     "asrs r6, r6, #16\n"
                     "adcs r7, r6\n"
                     "asrs r5, r5, #24\n"
                     "muls r5, r4, r5\n"
                     "add r8, r8, r5\n"
                     "asrs r5, r5, #16\n"
                     "adcs r7, r5\n"
                     "cmp r1, r10\n"
                     "bne 2b\n"
                     "ldr r2, [sp, #4]\n"
                     "adds r0, r0, r2\n"
                     "mov r9, r0\n"
                     "mov r0, r8\n"
                     "mov r1, r7\n"
                     "lsls r2, r7, #16\n"
                     "subs r0, r0, r2\n"
                     "add r3, sp, #20\n"
                     "ldmia r3!, {r2, r4, r5, r6, r7}\n"
                     "adds r0, r0, r4\n"
                     "adds r1, r1, r4\n"
                     PL_M0_REQUANTIZE("r0")
                     PL_M0_REQUANTIZE("r1")
                     "mov r3, lr\n"
                     "strb r0, [r3]\n"
                     "ldr r4, [sp, #12]\n"
                     "strb r1, [r3, r4]\n"
                     "ldr r4, [sp, #8]\n"
                     "adds r3, r3, r4\n"
                     "mov lr, r3\n"
                     "mov r0, r9\n"
                     "ldr r4, [sp, #16]\n"
                     "cmp r3, r4\n"
                     "bne 1b\n"
                     "add sp, sp, #40\n"
                     PL_THUMB_LEAVE);
}
#else
static void pl_depthwise_channel_right_m0(const uint32_t *x, const int32_t *w,
                                          const int32_t *constants, const pl_depthwise_job_m0 *job,
                                          int8_t *y)
{
    pl_depthwise_channel_any_m0(x, w, constants, job, y);
}
#endif

/* Words of one channel's columns: per column, per pair of rows (a, b) in `table`, a[i] + b[i] * 2^16,
 * for i from `first` to `last` (not included) in steps of `pitch`. The table's end is a number, as compilers
 * take a pointer to it for a use of what lies there.
 */
#if defined(__GNUC__) && defined(__thumb__) && __ARM_ARCH >= 6
static PL_THUMB void pl_depthwise_columns_m0(PL_PARAMETER uint32_t *words,
                                             PL_PARAMETER const int8_t *const *table,
                                             PL_PARAMETER int32_t first, PL_PARAMETER int32_t pitch,
                                             PL_PARAMETER int32_t last,
                                             PL_PARAMETER uintptr_t table_end)
{
    __asm__ volatile(PL_THUMB_ENTER
                     "ldr r7, [sp, #36]\n"
                     "mov lr, r7\n"
                     "ldr r7, [sp, #40]\n"
                     "mov r12, r7\n"
                     "1: mov r7, r1\n"
                     "2: ldmia r7!, {r4, r5}\n"
                     "ldrsb r4, [r4, r2]\n"
                     "ldrsb r5, [r5, r2]\n"
                     "lsls r5, r5, #16\n"
                     "adds r4, r4, r5\n"
                     "stmia r0!, {r4}\n"
                     "cmp r7, r12\n"
                     "bne 2b\n"
                     "adds r2, r2, r3\n"
                     "cmp r2, lr\n"
                     "bne 1b\n"
                     PL_THUMB_LEAVE);
}
#else
static void pl_depthwise_columns_m0(uint32_t *words, const int8_t *const *table, int32_t first,
                                    int32_t pitch, int32_t last, uintptr_t table_end)
{
    for (; first != last; first += pitch) {
        for (const int8_t *const *t = table; (uintptr_t)t < table_end; t += 2) {
            *words++ = (uint32_t)t[0][first] + ((uint32_t)t[1][first] << 16);
        }
    }
}
#endif

/* The same for three pairs of rows. */
#if defined(__GNUC__) && defined(__thumb__) && __ARM_ARCH >= 6
static PL_THUMB void pl_depthwise_columns3_m0(PL_PARAMETER uint32_t *words,
                                              PL_PARAMETER const int8_t *const *table,
                                              PL_PARAMETER int32_t first, PL_PARAMETER int32_t pitch,
                                              PL_PARAMETER int32_t last)
{
/* Element r2 of the row in register `row` to register d. */
#define PL_M0_BYTE(d, row)           \
    "mov " d ", " row "\n"           \
    "ldrsb " d ", [" d ", r2]\n"
/* Element r2 of that row added to the upper half of d. */
#define PL_M0_UPPER(d, row)          \
    PL_M0_BYTE("r7", row)            \
    "lsls r7, r7, #16\n"             \
    "adds " d ", " d ", r7\n"
    __asm__ volatile(PL_THUMB_ENTER
                     "mov r12, r3\n"
                     "ldr r7, [sp, #36]\n"
                     "mov lr, r7\n"
                     "ldmia r1!, {r3, r4, r5, r6}\n"
                     "mov r8, r4\n"
                     "mov r9, r6\n"
                     "ldmia r1!, {r6, r7}\n"
                     "mov r10, r6\n"
                     "mov r11, r7\n"
                     "mov r1, r5\n"
                     "1: ldrsb r4, [r3, r2]\n"
                     PL_M0_UPPER("r4", "r8")
                     "ldrsb r5, [r1, r2]\n"
                     PL_M0_UPPER("r5", "r9")
                     PL_M0_BYTE("r6", "r10")
                     PL_M0_UPPER("r6", "r11")
                     "stmia r0!, {r4, r5, r6}\n"
                     "add r2, r2, r12\n"
                     "cmp r2, lr\n"
                     "bne 1b\n"
                     PL_THUMB_LEAVE);
#undef PL_M0_BYTE
#undef PL_M0_UPPER
}
#else
static void pl_depthwise_columns3_m0(uint32_t *words, const int8_t *const *table, int32_t first,
                                     int32_t pitch, int32_t last)
{
    pl_depthwise_columns_m0(words, table, first, pitch, last, (uintptr_t)(table + 6));
}
#endif

/* Depthwise 2-D convolution of int8, one or two output rows, channel by channel; two rows, or two parts of
 * one row, are computed at once as halves of words (see pair_s8_m0.h).
 *
 *   y[oy][ox][c*depth + m] = clamp(requantize(bias[c*depth + m] + sum over ky,kx of
 *       rows[oy*stride_h + ky][ox*stride_w + kx - pad_left][c] * weight[c*depth + m][kx][ky]))
 *
 * rows      (n - 1) * stride_h + kernel_h pointers to input rows [in_w][in_c]; rows outside the input
 *           point to `pad`
 * y         [n][out_w][in_c * depth]; must not overlap any row
 * split     output columns between both parts of a single row, which then has split + out_w <= 2 * out_w
 *           columns and no padding; 0 if there is one part
 * pad       at least in_w * in_c elements, all equal to the input's zero point
 * weights   [in_c * depth][triples] words, three weights each, in the order [kernel_w][kernel_h],
 *           filled up with zeros
 * bias      has -zero_point * sum(weights) merged in
 * scratch   ((out_w - 1) * stride_w + kernel_w) * kernel_h + 2 words of activations
 * Bounds: kernel_h <= PL_M0_ROWS; |accumulator| < 2^30 for any input; those of the sums of two products
 *         (proven when the code was generated).
 */
typedef struct {
    int32_t in_w, in_c, depth, out_w;
    int32_t kernel_h, kernel_w, stride_h, stride_w, pad_left, split, triples;
    const int8_t *pad;
    pl_channels_m0 channels;
    const int32_t *weights;
} pl_depthwise_conv2d_s8__m0_params;

enum { PL_M0_ROWS = 16 };

static void pl_depthwise_conv2d_s8__m0(const void *const *rows, int8_t *y, int32_t n, void *scratch,
                                       const pl_depthwise_conv2d_s8__m0_params *p)
{
    const int32_t kernel_h = p->kernel_h, in_c = p->in_c, depth = p->depth;
    const int32_t columns = (p->out_w - 1) * p->stride_w + p->kernel_w;
    const int32_t left = p->pad_left < columns ? p->pad_left : columns;
    const int32_t inside = p->in_w < columns - left ? p->in_w : columns - left;
    const int32_t second = p->split * p->stride_w * in_c; /* where the second part begins */
    const int8_t *table[2 * PL_M0_ROWS];
    for (int32_t ky = 0; ky < kernel_h; ky++) {
        table[2 * ky] = (const int8_t *)rows[ky];
        table[2 * ky + 1] = (const int8_t *)rows[n > 1 ? ky + p->stride_h : ky] + second;
    }
    uint32_t *words = (uint32_t *)scratch, *from = words + left * kernel_h;
    uint32_t *to = from + inside * kernel_h, *end = words + columns * kernel_h + 2;
    /* The words of padding are the same for every channel. */
    const uint32_t zero = p->pad ? (uint32_t)p->pad[0] * 65537u : 0;
    for (uint32_t *v = words; v < from; v++) {
        *v = zero;
    }
    for (uint32_t *v = to; v < end; v++) {
        *v = zero;
    }
    const int32_t out_c = in_c * depth;
    const pl_channels_m0 *channels = &p->channels;
    const pl_depthwise_job_m0 job = {
        channels->zero_point, channels->low, channels->high,
        4 * (p->stride_w * kernel_h - 3 * p->triples),
        out_c, (n > 1 ? p->out_w : p->split) * out_c, p->out_w * out_c, 4 * p->triples,
    };
    const int32_t *w = p->weights, *constants = channels->table;
    for (int32_t c = 0; c < in_c; c++) {
        const int32_t last = c + inside * in_c;
        if (kernel_h == 3) {
            pl_depthwise_columns3_m0(from, table, c, in_c, last);
        } else {
            pl_depthwise_columns_m0(from, table, c, in_c, last,
                                    (uintptr_t)(table + 2 * kernel_h));
        }
        for (int32_t m = depth; m > 0; m--, w += p->triples, constants += 3, y++) {
            if (channels->right_only) {
                pl_depthwise_channel_right_m0(words, w, constants, &job, y);
            } else {
                pl_depthwise_channel_any_m0(words, w, constants, &job, y);
            }
        }
    }
}
