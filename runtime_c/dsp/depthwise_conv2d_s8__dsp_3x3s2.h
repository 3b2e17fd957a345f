#pragma once
#include "depthwise_3x3_record.h"
#include "depthwise_planes_across.h"

/* Depthwise 3x3 convolution of int8, stride 2, up to (PL_DW_LINES - 1) / 2 output rows, for outputs
 * whose zero point is their lowest value (ReLU).
 *
 *   y[oy][ox][c] = the output of rows[2 * oy ..][2 * ox - pad_left ..][c], see
 *   depthwise_3x3_record.h
 *
 * rows     2 * n + 1 pointers (NULL: padding) to input rows [in_w][in_c]
 * y        [n][out_w][in_c]; must not overlap any row
 * planes   scratch, (chunk + 1) * PL_DW_PAIR words
 * chunk    output columns per run
 * Bounds: in_c >= 4.
 */

/* Four channels of some runs. The order of the fields is known to the assembly. */
typedef struct {
    int32_t in_c;
    const int32_t *last_pair; /* planes + pairs of a run */
    const int32_t *last_line; /* planes + lines that start a run */
    int32_t to_line;          /* bytes from behind a run to the start of the next */
    int32_t to_row;           /* bytes from behind a run's outputs to the start of the next row */
    const int32_t *records;
    const int32_t *planes;
    int8_t *y;
    int32_t channels;
} pl_dw3s2_job;

#if defined(__GNUC__) && defined(__ARM_FEATURE_DSP)

/* Output x, in register A, is finished from the pair of columns 2x + 2 and 2x + 3, which also
 * starts output x + 1 in B. r0 planes, r1 y, r4..r6 weights of the first two columns of each
 * row, r7 and r8 of the third, r9 multiplier, r10 offset; on the stack bias, in_c, end. */
#define PL_DW3S2_STEP(A, B)                                                                        \
    "ldr " B ", [sp]\n\t"                                                                          \
    "ldr r2, [r0, #16]\n\t"                                                                        \
    "ldr r3, [r0, #32]\n\t"                                                                        \
    "ldr lr, [r0], #128\n\t"                                                                       \
    "smlabt " A ", r2, r7, " A "\n\t"                                                              \
    "smlad " B ", r2, r5, " B "\n\t"                                                               \
    "smlabb " A ", r3, r8, " A "\n\t"                                                              \
    "smlad " B ", r3, r6, " B "\n\t"                                                               \
    "smlabb " A ", lr, r7, " A "\n\t"                                                              \
    "smlad " B ", lr, r4, " B "\n\t"                                                               \
    "smmla " A ", " A ", r9, r10\n\t"                                                              \
    "ssat " A ", #8, " A ", asr #10\n\t"                                                           \
    "strb " A ", [r1]\n\t"                                                                         \
    "ldr r2, [sp, #4]\n\t"                                                                         \
    "ldr r3, [sp, #8]\n\t"                                                                         \
    "add r1, r1, r2\n\t"                                                                           \
    "cmp r0, r3\n\t"

/* Frame: 0 bias, then the job's fields from 4 on. */
static PL_NOINLINE void pl_dw3s2_run(const pl_dw3s2_job *job)
{
    register const pl_dw3s2_job *r0 __asm__("r0") = job;
    __asm__ volatile("push {r4-r11, lr}\n\t"
                     "sub sp, sp, #40\n\t"
                     "ldm r0, {r1-r9}\n\t"
                     "add r12, sp, #4\n\t"
                     "stm r12, {r1-r9}\n"
                     "1:\n\t" /* next channel */
                     "ldr r0, [sp, #24]\n\t"
                     "ldrb r2, [r0, #9]\n\t"
                     PL_DW3_WEIGHTS("r4", "0", "r3", "1", "r7", "2") PL_DW3_LANES("r4", "r3")
                     PL_DW3_WEIGHTS("r5", "3", "r3", "4", "r8", "5") PL_DW3_LANES("r5", "r3")
                     PL_DW3_LANES("r7", "r8")
                     PL_DW3_WEIGHTS("r6", "6", "r3", "7", "r8", "8") PL_DW3_LANES("r6", "r3")
                     "ldrh r10, [r0, #10]\n\t"
                     "ldr r3, [r0, #12]\n\t"
                     "ldr r9, [r0, #16]\n\t"
                     "sub r10, r10, #130560\n\t"
                     "str r3, [sp]\n\t"
                     "adds r0, #20\n\t"
                     "str r0, [sp, #24]\n\t"
                     "ldr r0, [sp, #28]\n\t"
                     "ldr r1, [sp, #32]\n\t"
                     "add r2, r0, #4\n\t"
                     "add r3, r1, #1\n\t"
                     "str r2, [sp, #28]\n\t"
                     "str r3, [sp, #32]\n"
                     "2:\n\t" /* next line: the first pair only starts an output */
                     "ldr r11, [sp]\n\t"
                     "ldr r2, [r0, #16]\n\t"
                     "ldr r3, [r0, #32]\n\t"
                     "ldr lr, [r0], #128\n\t"
                     "smlad r11, r2, r5, r11\n\t"
                     "smlad r11, r3, r6, r11\n\t"
                     "smlad r11, lr, r4, r11\n"
                     "3:\n\t" PL_DW3S2_STEP("r11", "r12") "bhs 4f\n\t" PL_DW3S2_STEP(
                         "r12", "r11") "blo 3b\n"
                     "4:\n\t"
                     "ldr r2, [sp, #16]\n\t"
                     "ldr r3, [sp, #20]\n\t"
                     "ldr r12, [sp, #12]\n\t"
                     "add r0, r0, r2\n\t"
                     "add r1, r1, r3\n\t"
                     "cmp r0, r12\n\t"
                     "blo 2b\n\t"
                     "ldr r2, [sp, #36]\n\t"
                     "subs r2, r2, #1\n\t"
                     "str r2, [sp, #36]\n\t"
                     "bne 1b\n\t"
                     "add sp, sp, #40\n\t"
                     "pop {r4-r11, lr}\n\t"
                     : "+r"(r0)
                     :
                     : "r1", "r2", "r3", "r12", "cc", "memory");
}

#else

static void pl_dw3s2_run(const pl_dw3s2_job *job)
{
    const int32_t outputs = (int32_t)(job->last_pair - job->planes) / PL_DW_PAIR - 1;
    for (int32_t c = 0; c < job->channels; c++) {
        pl_dw3_record r;
        memcpy(&r, job->records + PL_DW3_WORDS * c, sizeof r);
        int8_t *y = job->y + c;
        for (const int32_t *line = job->planes; line < job->last_line; line += 8) {
            for (int32_t x = 0; x < outputs; x++, y += job->in_c) {
                *y = pl_dw3_one(line + c + x * PL_DW_PAIR, 0, &r);
            }
            y += job->to_row;
        }
    }
}

#endif

static void pl_depthwise_conv2d_s8__dsp_3x3s2(const void *const *rows, int8_t *y, int32_t n,
                                              int32_t *planes, const pl_dw3_params *p)
{
    const int32_t in_c = p->in_c;
    for (int32_t x = 0, run; x < p->out_w; x += run) {
        run = p->out_w - x < p->chunk ? p->out_w - x : p->chunk;
        for (int32_t at = 0; at < in_c; at += 4) {
            /* The last four channels may overlap those before. */
            const int32_t c = at + 4 <= in_c ? at : in_c - 4;
            pl_dw_planes(planes, PL_DW_PAIR, rows, 2 * n + 1, c, 2 * x - p->pad_left, run + 1,
                         p->in_w, in_c, p->zero);
            pl_dw3s2_job job;
            job.in_c = in_c;
            job.last_pair = planes + (run + 1) * PL_DW_PAIR;
            job.last_line = planes + 8 * n;
            job.to_line = 32 - (run + 1) * 4 * PL_DW_PAIR;
            job.to_row = (p->out_w - run) * in_c;
            job.records = p->records + PL_DW3_WORDS * c;
            job.planes = planes;
            job.y = y + x * in_c + c;
            job.channels = 4;
            pl_dw3s2_run(&job);
        }
    }
}
