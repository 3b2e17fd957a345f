#pragma once
#include "depthwise_3x3_record.h"

/* Depthwise 3x3 convolution of int8, stride 1, for outputs whose zero point is their lowest value
 * (ReLU): runs of outputs along the lines of the planes, of one channel.
 *
 *   y[line][i] = the output of planes[line .. line + 2][i .. i + 2], see depthwise_3x3_record.h
 *
 * Bounds: runs are at least 2 long.
 */

/* Four channels of `lines` runs. The order of the fields is known to the assembly. */
typedef struct {
    int32_t step; /* bytes between outputs of a run */
    const int32_t *last_pair; /* planes + pairs done by pairs of outputs */
    const int32_t *last_line; /* planes + lines */
    int32_t to_line;          /* bytes from behind a run to the start of the next line */
    int32_t to_row;           /* bytes from behind a run's pairs of outputs to the next run's */
    int32_t odd;              /* a run ends with a single output */
    const int32_t *records;
    const int32_t *planes;
    int8_t *y;
    int32_t channels;
} pl_dw3_job;

#if defined(__GNUC__) && defined(__ARM_FEATURE_DSP)

/* Outputs x and x + 1 are finished from the pair of columns x + 2 and x + 3, which also starts x +
 * 2 and x + 3: registers A, B hold the former, C, D the latter. r0 planes, r1 y, r4..r9 weights; on
 * the stack bias, multiplier, offset, step. */
#define PL_DW3_PAIR(A, B, C, D)                                                                    \
    "ldr " D ", [sp]\n\t"                                                                          \
    "ldr r2, [r0, #16]\n\t"                                                                        \
    "ldr r3, [r0, #32]\n\t"                                                                        \
    "smlabt " A ", r2, r7, " A "\n\t"                                                              \
    "smlad " B ", r2, r7, " B "\n\t"                                                               \
    "smlad " C ", r2, r6, " D "\n\t"                                                               \
    "smlatb " D ", r2, r6, " D "\n\t"                                                              \
    "smlabt " A ", r3, r9, " A "\n\t"                                                              \
    "smlad " B ", r3, r9, " B "\n\t"                                                               \
    "smlad " C ", r3, r8, " C "\n\t"                                                               \
    "smlatb " D ", r3, r8, " D "\n\t"                                                              \
    "ldr r2, [r0], #128\n\t"                                                                       \
    "ldr r3, [sp, #4]\n\t"                                                                         \
    "smlabt " A ", r2, r5, " A "\n\t"                                                              \
    "smlad " B ", r2, r5, " B "\n\t"                                                               \
    "smlad " C ", r2, r4, " C "\n\t"                                                               \
    "smlatb " D ", r2, r4, " D "\n\t"                                                              \
    "ldr r2, [sp, #8]\n\t"                                                                         \
    "smmla " A ", " A ", r3, r2\n\t"                                                               \
    "smmla " B ", " B ", r3, r2\n\t"                                                               \
    "ssat " A ", #8, " A ", asr #10\n\t"                                                           \
    "ssat " B ", #8, " B ", asr #10\n\t"                                                           \
    "ldr r3, [sp, #12]\n\t"                                                                        \
    "strb " A ", [r1]\n\t"                                                                         \
    "strb " B ", [r1, r3]\n\t"                                                                     \
    "ldr r2, [sp, #16]\n\t"                                                                        \
    "add r1, r1, r3, lsl #1\n\t"                                                                   \
    "cmp r0, r2\n\t"

/* Frame: 0 bias, 4 multiplier, 8 offset, then the job's fields from 12 on. */
static PL_NOINLINE void pl_dw3_run(const pl_dw3_job *job)
{
    register const pl_dw3_job *r0 __asm__("r0") = job;
    __asm__ volatile("push {r4-r11, lr}\n\t"
                     "sub sp, sp, #52\n\t"
                     "ldm r0, {r1-r10}\n\t"
                     "add r12, sp, #12\n\t"
                     "stm r12, {r1-r10}\n"
                     "1:\n\t" /* next channel */
                     "ldr r0, [sp, #36]\n\t"
                     "ldrb r2, [r0, #9]\n\t"
                     PL_DW3_WEIGHTS("r4", "0", "r5", "1", "r3", "2")
                     PL_DW3_LANES("r4", "r5") PL_DW3_LANES("r5", "r3")
                     PL_DW3_WEIGHTS("r6", "3", "r7", "4", "r3", "5")
                     PL_DW3_LANES("r6", "r7") PL_DW3_LANES("r7", "r3")
                     PL_DW3_WEIGHTS("r8", "6", "r9", "7", "r3", "8")
                     PL_DW3_LANES("r8", "r9") PL_DW3_LANES("r9", "r3")
                     "ldrh r3, [r0, #10]\n\t"
                     "ldr r1, [r0, #12]\n\t"
                     "ldr r2, [r0, #16]\n\t"
                     "sub r3, r3, #130560\n\t"
                     "stm sp, {r1-r3}\n\t"
                     "adds r0, #20\n\t"
                     "str r0, [sp, #36]\n\t"
                     "ldr r0, [sp, #40]\n\t"
                     "ldr r1, [sp, #44]\n\t"
                     "add r2, r0, #4\n\t"
                     "add r3, r1, #1\n\t"
                     "str r2, [sp, #40]\n\t"
                     "str r3, [sp, #44]\n"
                     "2:\n\t" /* next line: the first pair only starts outputs */
                     "ldr lr, [sp]\n\t"
                     "ldr r2, [r0, #16]\n\t"
                     "ldr r3, [r0, #32]\n\t"
                     "smlad r12, r2, r6, lr\n\t"
                     "smlatb lr, r2, r6, lr\n\t"
                     "ldr r2, [r0], #128\n\t"
                     "smlad r12, r3, r8, r12\n\t"
                     "smlatb lr, r3, r8, lr\n\t"
                     "smlad r12, r2, r4, r12\n\t"
                     "smlatb lr, r2, r4, lr\n"
                     "3:\n\t" PL_DW3_PAIR("r12", "lr", "r10", "r11") "bhs 4f\n\t" PL_DW3_PAIR(
                         "r10", "r11", "r12", "lr") "blo 3b\n\t"
                     "b 5f\n"
                     "4:\n\t"
                     "mov r12, r10\n"
                     "5:\n\t"
                     "ldr r2, [sp, #32]\n\t"
                     "cbz r2, 6f\n\t"
                     "ldr r2, [r0, #16]\n\t"
                     "ldr r3, [r0, #32]\n\t"
                     "smlabt r12, r2, r7, r12\n\t"
                     "smlabt r12, r3, r9, r12\n\t"
                     "ldr r2, [r0]\n\t"
                     "ldr r3, [sp, #4]\n\t"
                     "smlabt r12, r2, r5, r12\n\t"
                     "ldr r2, [sp, #8]\n\t"
                     "smmla r12, r12, r3, r2\n\t"
                     "ssat r12, #8, r12, asr #10\n\t"
                     "strb r12, [r1]\n"
                     "6:\n\t"
                     "ldr r2, [sp, #24]\n\t"
                     "ldr r3, [sp, #28]\n\t"
                     "ldr r12, [sp, #20]\n\t"
                     "add r0, r0, r2\n\t"
                     "add r1, r1, r3\n\t"
                     "cmp r0, r12\n\t"
                     "blo 2b\n\t"
                     "ldr r2, [sp, #48]\n\t"
                     "subs r2, r2, #1\n\t"
                     "str r2, [sp, #48]\n\t"
                     "bne 1b\n\t"
                     "add sp, sp, #52\n\t"
                     "pop {r4-r11, lr}\n\t"
                     : "+r"(r0)
                     :
                     : "r1", "r2", "r3", "r12", "cc", "memory");
}

#else

static void pl_dw3_run(const pl_dw3_job *job)
{
    for (int32_t c = 0; c < job->channels; c++) {
        pl_dw3_record r;
        memcpy(&r, job->records + PL_DW3_WORDS * c, sizeof r);
        int8_t *y = job->y + c;
        const int32_t whole = (int32_t)(job->last_pair - job->planes) / PL_DW_PAIR - 1;
        for (const int32_t *line = job->planes; line < job->last_line; line += 4) {
            const int32_t *in = line + c;
            for (int32_t pair = 0; pair < whole; pair++, in += PL_DW_PAIR, y += 2 * job->step) {
                y[0] = pl_dw3_one(in, 0, &r);
                y[job->step] = pl_dw3_one(in, 1, &r);
            }
            if (job->odd) {
                y[0] = pl_dw3_one(in, 0, &r);
            }
            y += job->to_row;
        }
    }
}

#endif

/* The job of runs of `length` outputs on `lines` lines, for four channels. */
static void pl_dw3_runs(int32_t *planes, int32_t lines, int32_t length, const int32_t *records,
                        int8_t *y, int32_t step, int32_t row)
{
    const int32_t whole = length / 2;
    pl_dw3_job job;
    job.step = step;
    job.last_pair = planes + (whole + 1) * PL_DW_PAIR;
    job.last_line = planes + 4 * lines;
    job.to_line = 16 - (whole + 1) * 4 * PL_DW_PAIR;
    job.to_row = row - 2 * whole * step;
    job.odd = length % 2;
    job.records = records;
    job.planes = planes;
    job.y = y;
    job.channels = 4;
    pl_dw3_run(&job);
}
