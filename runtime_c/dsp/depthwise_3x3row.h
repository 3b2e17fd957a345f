#pragma once
#include "depthwise_3x3_record.h"

/* One row of a depthwise 3x3 convolution, four channels of two outputs (or of one) at a time.
 *
 * Of each column of a window the bytes of the upper two rows are paired, and in the lowest row
 * those of two columns: (a, b) in the halfwords of a word, two channels in its bytes. Unpacked for
 * one channel they are lanes, and a window is five multiply-accumulates. Channels 0 and 1 use words
 * in registers, 2 and 3 those that lie in the frame meanwhile.
 */

/* Words of a record: lanes (upper, middle weight) of the window's columns 0, 1 and 2; bias; in the
 * lowest row lanes of columns 0 and 1, and of 1 and 2; multiplier; offset
 * (rounding - PL_DW_LOW where the zero point is -128). */
enum { PL_DWR_WORDS = 8 };

/* Four channels of a row, `groups` times. The order of the fields is known to the assembly. */
typedef struct {
    const int8_t *rows[3];
    int32_t at;   /* bytes from a row's start to the window's first column; may be outside */
    int32_t in_c; /* bytes between columns, and between outputs */
    int32_t zero; /* the input's zero point in each byte */
    const int32_t *records;
    int8_t *y;
    int32_t left;     /* outputs left in the row */
    int32_t right;    /* 1: the last window has a column beyond the input */
    int32_t pad_left; /* 1: so has the first */
    int32_t pairs;    /* 1: stride 1, two outputs at a time; 0: stride 2 */
    int32_t groups;
    int32_t out_w, first_at; /* left, at and y for the group */
    int8_t *first_y;
} pl_dwr_job;

#if defined(__GNUC__) && defined(__ARM_FEATURE_DSP)

/* Column 0 of the window: rows in r10, r11, lr, zero points if it is outside. */
#define PL_DWR_INSIDE                                                                              \
    "add lr, sp, #32\n\t"                                                                          \
    "ldm lr, {r0-r3, r12}\n\t"                                                                     \
    "ldr r10, [r0, r3]\n\t"                                                                        \
    "ldr r11, [r1, r3]\n\t"                                                                        \
    "ldr lr, [r2, r3]\n"
#define PL_DWR_OUTSIDE                                                                             \
    "add lr, sp, #32\n\t"                                                                          \
    "ldm lr, {r0-r3, r12}\n\t"                                                                     \
    "ldr r10, [sp, #52]\n\t"                                                                       \
    "mov r11, r10\n\t"                                                                             \
    "mov lr, r10\n\t"

/* Lanes of channels 0 and 1 of A and B to TO, those of 2 and 3 to the frame. Changes A or B. */
#define PL_DWR_PACK(TO, A, B, FRAME)                                                               \
    "pkhbt " TO ", " A ", " B ", lsl #16\n\t"                                                      \
    "pkhtb " B ", " B ", " A ", asr #16\n\t"                                                       \
    "str " B ", [sp, #" FRAME "]\n\t"

/* Columns 0 and 1: their upper rows to r4 and r5, the lowest to LOWEST. r3: column 2. */
#define PL_DWR_TWO(LOWEST, FRAME)                                                                  \
    PL_DWR_PACK("r4", "r10", "r11", "8")                                                           \
    "add r3, r3, r12\n\t"                                                                          \
    "ldr r11, [r2, r3]\n\t" PL_DWR_PACK(LOWEST, "lr", "r11", FRAME) /**/                           \
    "ldr r10, [r0, r3]\n\t"                                                                        \
    "ldr r11, [r1, r3]\n\t" PL_DWR_PACK("r5", "r10", "r11", "12") /**/                             \
    "add r3, r3, r12\n\t"                                                                          \
    "str r3, [sp, #44]\n\t"

/* One channel of two outputs, to bytes A and B of the frame. BYTES: which of the words; r0 the
 * channel's record. */
#define PL_DWR_PAIR(BYTES, A, B)                                                                   \
    "ldm r0!, {r1, r2, r3, r11, r12}\n\t"                                                          \
    "sxtb16 lr, r4" BYTES "\n\t"                                                                   \
    "smlad r10, lr, r1, r11\n\t"                                                                   \
    "sxtb16 lr, r5" BYTES "\n\t"                                                                   \
    "smlad r10, lr, r2, r10\n\t"                                                                   \
    "smlad r11, lr, r1, r11\n\t"                                                                   \
    "sxtb16 lr, r6" BYTES "\n\t"                                                                   \
    "smlad r10, lr, r3, r10\n\t"                                                                   \
    "smlad r11, lr, r2, r11\n\t"                                                                   \
    "sxtb16 lr, r7" BYTES "\n\t"                                                                   \
    "smlad r11, lr, r3, r11\n\t"                                                                   \
    "ldm r0!, {r1, r2, r3}\n\t"                                                                    \
    "sxtb16 lr, r8" BYTES "\n\t"                                                                   \
    "smlad r10, lr, r12, r10\n\t"                                                                  \
    "smlatb r11, lr, r12, r11\n\t"                                                                 \
    "sxtb16 lr, r9" BYTES "\n\t"                                                                   \
    "smlabt r10, lr, r1, r10\n\t"                                                                  \
    "smlad r11, lr, r1, r11\n\t"                                                                   \
    "smmla r10, r10, r2, r3\n\t"                                                                   \
    "smmla r11, r11, r2, r3\n\t"                                                                   \
    "ssat r10, #8, r10, asr #10\n\t"                                                               \
    "ssat r11, #8, r11, asr #10\n\t"                                                               \
    "strb r10, [sp, #" A "]\n\t"                                                                   \
    "strb r11, [sp, #" B "]\n\t"

/* The same of one output; LAST: smlabt or smlatt, by the channel's lane in column 2 of the lowest
 * row. */
#define PL_DWR_ONE(BYTES, LAST, A)                                                                 \
    "ldm r0!, {r1, r2, r3, r11, r12}\n\t"                                                          \
    "sxtb16 lr, r4" BYTES "\n\t"                                                                   \
    "smlad r10, lr, r1, r11\n\t"                                                                   \
    "sxtb16 lr, r5" BYTES "\n\t"                                                                   \
    "smlad r10, lr, r2, r10\n\t"                                                                   \
    "sxtb16 lr, r6" BYTES "\n\t"                                                                   \
    "smlad r10, lr, r3, r10\n\t"                                                                   \
    "ldm r0!, {r1, r2, r3}\n\t"                                                                    \
    "sxtb16 lr, r7" BYTES "\n\t"                                                                   \
    "smlad r10, lr, r12, r10\n\t"                                                                  \
    "sxtb16 lr, r8" BYTES "\n\t" LAST " r10, lr, r1, r10\n\t"                                      \
    "smmla r10, r10, r2, r3\n\t"                                                                   \
    "ssat r10, #8, r10, asr #10\n\t"                                                               \
    "strb r10, [sp, #" A "]\n\t"

#define PL_DWR_ROR ", ror #8"

/* Frame: 0 and 4 the outputs, 8 packed words of channels 2 and 3, then the job's fields from 32 on:
 * 44 at, 48 in_c, 52 zero, 56 records, 60 y, 64 left, 68 right, 72 pad_left, 76 pairs, 80 groups,
 * 84 out_w, 88 first_at, 92 first_y. */
static PL_NOINLINE void pl_dwr_groups(const pl_dwr_job *job)
{
    register const pl_dwr_job *r0 __asm__("r0") = job;
    __asm__ volatile(
        "push {r4-r11, lr}\n\t"
        "sub sp, sp, #96\n\t"
        "add r12, sp, #32\n\t"
        "ldm r0!, {r1-r8}\n\t"
        "stm r12!, {r1-r8}\n\t"
        "ldm r0!, {r1-r8}\n\t"
        "stm r12!, {r1-r8}\n"
        "1:\n\t" /* next group */
        "ldr r2, [sp, #64]\n\t"
        "ldr r1, [sp, #76]\n\t"
        "ldr r0, [sp, #72]\n\t"
        "cbz r1, 2f\n\t"
        "cmp r2, #2\n\t"
        "blt 2f\n\t"
        "cbz r0, 3f\n\t" PL_DWR_OUTSIDE "b 4f\n"
        "2:\n\t"
        "cmp r0, #0\n\t"
        "beq 6f\n\t" PL_DWR_OUTSIDE "b 7f\n"
        "3:\n\t" PL_DWR_INSIDE "4:\n\t" PL_DWR_TWO("r8", "24") /**/
        "ldr r10, [r0, r3]\n\t"
        "ldr r11, [r1, r3]\n\t"
        "ldr lr, [r2, r3]\n\t" PL_DWR_PACK("r6", "r10", "r11", "16") /**/
        "ldr r9, [sp, #64]\n\t"
        "ldr r7, [sp, #68]\n\t"
        "add r3, r3, r12\n\t"
        "cmp r9, r7, lsl #1\n\t"
        "bne 5f\n\t"
        "ldr r10, [sp, #52]\n\t"
        "mov r11, r10\n\t"
        "mov r9, r10\n\t"
        "b 9f\n"
        "5:\n\t"
        "ldr r10, [r0, r3]\n\t"
        "ldr r11, [r1, r3]\n\t"
        "ldr r9, [r2, r3]\n"
        "9:\n\t" PL_DWR_PACK("r7", "r10", "r11", "20") /**/
        "pkhtb r10, r9, lr, asr #16\n\t"
        "pkhbt r9, lr, r9, lsl #16\n\t"
        "str r10, [sp, #28]\n\t"
        "ldr r0, [sp, #56]\n\t" PL_DWR_PAIR("", "0", "4") PL_DWR_PAIR(PL_DWR_ROR, "1", "5") /**/
        "add lr, sp, #8\n\t"
        "ldm lr, {r4-r9}\n\t" PL_DWR_PAIR("", "2", "6") PL_DWR_PAIR(PL_DWR_ROR, "3", "7") /**/
        "ldr r2, [sp, #60]\n\t"
        "ldr r12, [sp, #48]\n\t"
        "ldr r1, [sp, #64]\n\t"
        "ldr r3, [sp]\n\t"
        "ldr r4, [sp, #4]\n\t"
        "str r3, [r2]\n\t"
        "str r4, [r2, r12]\n\t"
        "add r2, r2, r12, lsl #1\n\t"
        "str r2, [sp, #60]\n\t"
        "subs r1, r1, #2\n\t"
        "str r1, [sp, #64]\n\t"
        "cmp r1, #1\n\t"
        "bgt 3b\n\t"
        "blt 10f\n"
        "6:\n\t" PL_DWR_INSIDE "7:\n\t" PL_DWR_TWO("r7", "20") /**/
        "ldr r9, [sp, #64]\n\t"
        "ldr r6, [sp, #68]\n\t"
        "cmp r9, r6\n\t"
        "bne 8f\n\t"
        "ldr r10, [sp, #52]\n\t"
        "mov r11, r10\n\t"
        "mov r8, r10\n\t"
        "b 9f\n"
        "8:\n\t"
        "ldr r10, [r0, r3]\n\t"
        "ldr r11, [r1, r3]\n\t"
        "ldr r8, [r2, r3]\n"
        "9:\n\t" PL_DWR_PACK("r6", "r10", "r11", "16") /**/
        "ldr r0, [sp, #56]\n\t" PL_DWR_ONE("", "smlabt", "0")
            PL_DWR_ONE(PL_DWR_ROR, "smlabt", "1") /**/
        "add lr, sp, #8\n\t"
        "ldm lr, {r4-r7}\n\t" PL_DWR_ONE("", "smlatt", "2")
            PL_DWR_ONE(PL_DWR_ROR, "smlatt", "3") /**/
        "ldr r2, [sp, #60]\n\t"
        "ldr r12, [sp, #48]\n\t"
        "ldr r1, [sp, #64]\n\t"
        "ldr r3, [sp]\n\t"
        "str r3, [r2]\n\t"
        "add r2, r2, r12\n\t"
        "str r2, [sp, #60]\n\t"
        "subs r1, r1, #1\n\t"
        "str r1, [sp, #64]\n\t"
        "bgt 6b\n"
        "10:\n\t" /* r0: records of the next group */
        "ldr r1, [sp, #80]\n\t"
        "ldr r2, [sp, #84]\n\t"
        "ldr r3, [sp, #88]\n\t"
        "ldr r4, [sp, #92]\n\t"
        "add r3, r3, #4\n\t"
        "add r4, r4, #4\n\t"
        "str r0, [sp, #56]\n\t"
        "str r2, [sp, #64]\n\t"
        "str r3, [sp, #44]\n\t"
        "str r3, [sp, #88]\n\t"
        "str r4, [sp, #60]\n\t"
        "str r4, [sp, #92]\n\t"
        "subs r1, r1, #1\n\t"
        "str r1, [sp, #80]\n\t"
        "bgt 1b\n\t"
        "add sp, sp, #96\n\t"
        "pop {r4-r11, lr}\n\t"
        : "+r"(r0)
        :
        : "r1", "r2", "r3", "r12", "cc", "memory");
}

#else

/* The word of a column that starts `at` bytes behind a row's start, or of one outside the input. */
static inline int32_t pl_dwr_word(const int8_t *row, int32_t at, int32_t outside, int32_t zero)
{
    return outside ? zero : pl_ld32(row + at);
}

/* Channel i of the output whose window is in[row][column]. */
static inline int8_t pl_dwr_one(int32_t in[3][3], int32_t i, const int32_t *record)
{
    int32_t acc = record[3];
    for (int32_t x = 0; x < 3; x++) {
        acc += pl_byte(in[0][x], i) * pl_low(record[x]);
        acc += pl_byte(in[1][x], i) * pl_high(record[x]);
        acc += pl_byte(in[2][x], i) * (x == 0 ? pl_low(record[4]) : x == 1 ? pl_low(record[5])
                                                                         : pl_high(record[5]));
    }
    const int32_t product = (int32_t)(((int64_t)acc * record[6]) >> 32);
    return (int8_t)pl_ssat8((product + record[7]) >> PL_DW_FRACTION);
}

static void pl_dwr_groups(const pl_dwr_job *job)
{
    const int32_t step = job->pairs ? job->in_c : 2 * job->in_c;
    for (int32_t g = 0; g < job->groups; g++) {
        for (int32_t ox = 0; ox < job->out_w; ox++) {
            const int32_t at = job->first_at + 4 * g + ox * step;
            int32_t in[3][3];
            for (int32_t r = 0; r < 3; r++) {
                const int8_t *row = job->rows[r];
                in[r][0] = pl_dwr_word(row, at, job->pad_left && ox == 0, job->zero);
                in[r][1] = pl_ld32(row + at + job->in_c);
                in[r][2] = pl_dwr_word(row, at + 2 * job->in_c,
                                       job->right && ox == job->out_w - 1, job->zero);
            }
            for (int32_t i = 0; i < 4; i++) {
                job->first_y[ox * job->in_c + 4 * g + i] =
                    pl_dwr_one(in, i, job->records + PL_DWR_WORDS * (4 * g + i));
            }
        }
    }
}

#endif
