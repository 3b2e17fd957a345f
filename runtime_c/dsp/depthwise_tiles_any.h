#pragma once
#include "depthwise_tiles.h"

/* Runs with windows of any number of lines, 5 or 7 wide, stride 1 or 2. */

#if defined(__GNUC__) && defined(__ARM_FEATURE_DSP)

#define PL_DWT_5S2                                                                                 \
    "ldr r9, [r0, #128]\n\t"                                                                       \
    "ldr r10, [r0, #256]\n\t"                                                                      \
    "ldr r11, [r0, #384]\n\t"                                                                      \
    "ldr lr, [r0, #512]\n\t"                                                                       \
    "ldr r8, [r0], #16\n\t"                                                                        \
    "ldm r1!, {r2, r3, r12}\n\t"                                                                   \
    "smlad r4, r8, r2, r4\n\t"                                                                     \
    "smlad r4, r9, r3, r4\n\t"                                                                     \
    "smlabb r4, r10, r12, r4\n\t"                                                                  \
    "smlad r5, r9, r2, r5\n\t"                                                                     \
    "ldr r8, [r0, #624]\n\t"                                                                       \
    "smlad r5, r10, r3, r5\n\t"                                                                    \
    "smlabb r5, r11, r12, r5\n\t"                                                                  \
    "smlad r6, r10, r2, r6\n\t"                                                                    \
    "smlad r6, r11, r3, r6\n\t"                                                                    \
    "smlabb r6, lr, r12, r6\n\t"                                                                   \
    "smlad r7, r11, r2, r7\n\t"                                                                    \
    "smlad r7, lr, r3, r7\n\t"                                                                     \
    "smlabb r7, r8, r12, r7\n\t"                                                                   \
    PL_DWT_END

#define PL_DWT_7S2                                                                                 \
    "ldr r9, [r0, #128]\n\t"                                                                       \
    "ldr r10, [r0, #256]\n\t"                                                                      \
    "ldr r11, [r0, #384]\n\t"                                                                      \
    "ldr r8, [r0], #16\n\t"                                                                        \
    "ldm r1!, {r2, r3, r12, lr}\n\t"                                                               \
    "smlad r4, r8, r2, r4\n\t"                                                                     \
    "smlad r4, r9, r3, r4\n\t"                                                                     \
    "smlad r4, r10, r12, r4\n\t"                                                                   \
    "smlabb r4, r11, lr, r4\n\t"                                                                   \
    "smlad r5, r9, r2, r5\n\t"                                                                     \
    "smlad r5, r10, r3, r5\n\t"                                                                    \
    "smlad r5, r11, r12, r5\n\t"                                                                   \
    "smlad r6, r10, r2, r6\n\t"                                                                    \
    "smlad r6, r11, r3, r6\n\t"                                                                    \
    "smlad r7, r11, r2, r7\n\t"                                                                    \
    "ldr r8, [r0, #496]\n\t"                                                                       \
    "ldr r9, [r0, #624]\n\t"                                                                       \
    "ldr r10, [r0, #752]\n\t"                                                                      \
    "smlabb r5, r8, lr, r5\n\t"                                                                    \
    "smlad r6, r8, r12, r6\n\t"                                                                    \
    "smlabb r6, r9, lr, r6\n\t"                                                                    \
    "smlad r7, r8, r3, r7\n\t"                                                                     \
    "smlad r7, r9, r12, r7\n\t"                                                                    \
    "smlabb r7, r10, lr, r7\n\t"                                                                   \
    PL_DWT_END

static PL_NOINLINE void pl_dwt_run_5(const pl_dwt_job *job)
{
    PL_DWT_RUN(PL_DWT_5("128", "256", "384", PL_DWT_END) PL_DWT_NEXT, "256");
}

static PL_NOINLINE void pl_dwt_run_7(const pl_dwt_job *job)
{
    PL_DWT_RUN(PL_DWT_7("128", "256", "384", "512", PL_DWT_END) PL_DWT_NEXT, "256");
}

static PL_NOINLINE void pl_dwt_run_5s2(const pl_dwt_job *job)
{
    PL_DWT_RUN(PL_DWT_5S2 PL_DWT_NEXT, "512");
}

static PL_NOINLINE void pl_dwt_run_7s2(const pl_dwt_job *job)
{
    PL_DWT_RUN(PL_DWT_7S2 PL_DWT_NEXT, "512");
}

#else

static void pl_dwt_run_5(const pl_dwt_job *job)
{
    pl_dwt_run(job, PL_DW_PAIR, 5, 1);
}

static void pl_dwt_run_7(const pl_dwt_job *job)
{
    pl_dwt_run(job, PL_DW_PAIR, 7, 1);
}

static void pl_dwt_run_5s2(const pl_dwt_job *job)
{
    pl_dwt_run(job, PL_DW_PAIR, 5, 2);
}

static void pl_dwt_run_7s2(const pl_dwt_job *job)
{
    pl_dwt_run(job, PL_DW_PAIR, 7, 2);
}

#endif

/* Runs of `run` outputs on `rows` rows of planes, for four channels. */
static void pl_dwt_runs(const int32_t *planes, int32_t rows, int32_t run, const int32_t *records,
                        int8_t *y, const pl_dwt_params *p)
{
    const pl_dwt_job job = pl_dwt_job_of(planes, rows, run, records, y, p);
    if (p->kernel_w == 5 && p->stride_w == 1) {
        pl_dwt_run_5(&job);
    } else if (p->kernel_w == 5) {
        pl_dwt_run_5s2(&job);
    } else if (p->stride_w == 1) {
        pl_dwt_run_7(&job);
    } else {
        pl_dwt_run_7s2(&job);
    }
}
