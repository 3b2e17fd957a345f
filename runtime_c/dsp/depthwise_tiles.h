#pragma once
#include "depthwise_clamp.h"
#include "depthwise_planes.h"

/* Depthwise convolution of int8 by tiles of four outputs of a run, one channel at a time.
 *
 *   y[line][i] = clamp(requantize(bias + sum over l,k of planes[line + l][stride_w * i + k] *
 *   w[l][k]), low, high)
 *
 * kernel_w 5 or 7; weights behind those of narrower windows are 0; stride_w is 1 or 2
 * chunk    outputs of a run at most
 * records  per channel: 2 * bias, the weights of each line, multiplier, zero_point << shift plus
 *          1 << (shift - 1), shift. All weights are doubled. Those of a line are, as lanes, (w0,
 *          w1), (w2, w3) ... for outputs that start at the first column of a pair and, with stride
 *          1, (w1, w2), (w3, w4) ... for those that start at the second; the last weight is the
 *          last high lane (stride 1) or the last low lane (stride 2).
 * Bounds: in_c >= 4; |accumulator| < 2^30; shift in [1, 22].
 */
typedef struct {
    int32_t in_w, in_c, out_w, pad_left;
    int32_t kernel_h, kernel_w, stride_h, stride_w, chunk, zero;
    int32_t low, high;
    int32_t record; /* words of a record */
    const int32_t *records;
} pl_dwt_params;

/* Four channels of some rows. The order of the fields is known to the assembly. */
typedef struct {
    int32_t step, run; /* bytes between outputs of a run, outputs of it */
    int32_t line; /* bytes between the first lines of rows */
    int32_t row;  /* bytes between rows of outputs */
    int32_t rows;
    const int32_t *records;
    int32_t weights; /* bytes of the weights of a channel */
    const int32_t *planes;
    int8_t *y;
    int32_t channels;
} pl_dwt_job;

#if defined(__GNUC__) && defined(__ARM_FEATURE_DSP)

/* One line of weights for outputs i .. i + 3 (r4 .. r7). r0 planes, r1 weights. P1 .. P4: bytes of
 * one to four pairs. END loads the end of the weights into r8, where it is needed. */
#define PL_DWT_5(P1, P2, P3, END)                                                                  \
    "ldr r9, [r0, #" P1 "]\n\t"                                                                    \
    "ldr r10, [r0, #" P2 "]\n\t"                                                                   \
    "ldr r11, [r0, #" P3 "]\n\t"                                                                   \
    "ldr r8, [r0], #16\n\t"                                                                        \
    "ldm r1!, {r2, r3, r12, lr}\n\t"                                                               \
    "smlad r4, r8, r2, r4\n\t"                                                                     \
    "smlad r4, r9, r3, r4\n\t"                                                                     \
    "smlabt r4, r10, lr, r4\n\t"                                                                   \
    "smlatb r5, r8, r2, r5\n\t"                                                                    \
    END                                                                                            \
    "smlad r5, r9, r12, r5\n\t"                                                                    \
    "smlad r5, r10, lr, r5\n\t"                                                                    \
    "smlad r6, r9, r2, r6\n\t"                                                                     \
    "smlad r6, r10, r3, r6\n\t"                                                                    \
    "smlabt r6, r11, lr, r6\n\t"                                                                   \
    "smlatb r7, r9, r2, r7\n\t"                                                                    \
    "smlad r7, r10, r12, r7\n\t"                                                                   \
    "smlad r7, r11, lr, r7\n\t"

#define PL_DWT_7(P1, P2, P3, P4, END)                                                              \
    "ldr r9, [r0, #" P1 "]\n\t"                                                                    \
    "ldr r10, [r0, #" P2 "]\n\t"                                                                   \
    "ldr r11, [r0, #" P3 "]\n\t"                                                                   \
    "ldr r8, [r0], #16\n\t"                                                                        \
    "ldm r1!, {r2, r3, r12}\n\t"                                                                   \
    "smlad r4, r8, r2, r4\n\t"                                                                     \
    "smlad r4, r9, r3, r4\n\t"                                                                     \
    "smlad r4, r10, r12, r4\n\t"                                                                   \
    "smlatb r5, r8, r2, r5\n\t"                                                                    \
    "smlad r6, r9, r2, r6\n\t"                                                                     \
    "smlad r6, r10, r3, r6\n\t"                                                                    \
    "smlad r6, r11, r12, r6\n\t"                                                                   \
    "smlatb r7, r9, r2, r7\n\t"                                                                    \
    "ldr lr, [r0, #" P4 " - 16]\n\t"                                                               \
    END                                                                                            \
    "ldm r1!, {r2, r3, r12}\n\t"                                                                   \
    "smlabt r4, r11, r12, r4\n\t"                                                                  \
    "smlad r5, r9, r2, r5\n\t"                                                                     \
    "smlad r5, r10, r3, r5\n\t"                                                                    \
    "smlad r5, r11, r12, r5\n\t"                                                                   \
    "smlabt r6, lr, r12, r6\n\t"                                                                   \
    "smlad r7, r10, r2, r7\n\t"                                                                    \
    "smlad r7, r11, r3, r7\n\t"                                                                    \
    "smlad r7, lr, r12, r7\n\t"

/* More lines follow: label 4 is in front of the first. */
#define PL_DWT_END "ldr r8, [sp, #40]\n\t"
#define PL_DWT_NEXT                                                                                \
    "cmp r1, r8\n\t"                                                                               \
    "bne 4b\n\t"

/* OUT = saturate((offset + rounded upper half of ACC * multiplier, minus 1 if negative) >> shift).
 * */
#define PL_DWT_OUT(OUT, ACC)                                                                       \
    "smmlar " OUT ", " ACC ", r8, r9\n\t"                                                          \
    "add " OUT ", " OUT ", " ACC ", asr #31\n\t"                                                   \
    "asr " OUT ", " OUT ", r10\n\t"                                                                \
    "ssat " OUT ", #8, " OUT "\n\t"

/* Frame: the job's fields from 0 on, 40 end of the weights, 44 line and 48 y of the row, 52 rows
 * left, 56 outputs left, 60 line and 64 y of the tile. LINES: code of the lines
 * of weights; TILE: bytes of the planes between tiles. */
#define PL_DWT_RUN(LINES, TILE)                                                                    \
    register const pl_dwt_job *r0 __asm__("r0") = job;                                             \
    __asm__ volatile("push {r4-r11, lr}\n\t"                                                       \
                     "sub sp, sp, #68\n\t"                                                         \
                     "ldm r0, {r1-r10}\n\t"                                                        \
                     "stm sp, {r1-r10}\n"                                                          \
                     "1:\n\t" /* next channel */                                                   \
                     "ldr r1, [sp, #20]\n\t"                                                       \
                     "ldr r2, [sp, #24]\n\t"                                                       \
                     "ldr r3, [sp, #28]\n\t"                                                       \
                     "ldr r4, [sp, #32]\n\t"                                                       \
                     "ldr r5, [sp, #16]\n\t"                                                       \
                     "add r1, r1, r2\n\t"                                                          \
                     "add r1, r1, #4\n\t"                                                          \
                     "str r1, [sp, #40]\n\t"                                                       \
                     "str r3, [sp, #44]\n\t"                                                       \
                     "str r4, [sp, #48]\n\t"                                                       \
                     "str r5, [sp, #52]\n"                                                         \
                     "2:\n\t" /* next row */                                                       \
                     "ldr r1, [sp, #4]\n\t"                                                        \
                     "ldr r2, [sp, #44]\n\t"                                                       \
                     "ldr r3, [sp, #48]\n\t"                                                       \
                     "str r1, [sp, #56]\n\t"                                                       \
                     "str r2, [sp, #60]\n\t"                                                       \
                     "str r3, [sp, #64]\n"                                                         \
                     "3:\n\t" /* next tile */                                                      \
                     "ldr r1, [sp, #20]\n\t"                                                       \
                     "ldr r0, [sp, #60]\n\t"                                                       \
                     "ldr r4, [r1], #4\n\t"                                                        \
                     "mov r5, r4\n\t"                                                              \
                     "mov r6, r4\n\t"                                                              \
                     "mov r7, r4\n"                                                                \
                     "4:\n\t" LINES                                                                \
                     "ldm r1, {r8-r10}\n\t" PL_DWT_OUT("r11", "r4") PL_DWT_OUT("r12", "r5")        \
                         PL_DWT_OUT("lr", "r6") PL_DWT_OUT("r3", "r7") /**/                        \
                     "ldr r0, [sp, #64]\n\t"                                                       \
                     "ldr r1, [sp, #0]\n\t"                                                        \
                     "ldr r2, [sp, #56]\n\t"                                                       \
                     "ldr r4, [sp, #60]\n\t"                                                       \
                     "strb r11, [r0]\n\t"                                                          \
                     "subs r2, r2, #4\n\t"                                                         \
                     "blt 5f\n\t"                                                                  \
                     "strb r12, [r0, r1]\n\t"                                                      \
                     "add r0, r0, r1, lsl #1\n\t"                                                  \
                     "strb lr, [r0]\n\t"                                                           \
                     "strb r3, [r0, r1]\n\t"                                                       \
                     "add r0, r0, r1, lsl #1\n\t"                                                  \
                     "add r4, r4, #" TILE "\n\t"                                                   \
                     "str r2, [sp, #56]\n\t"                                                       \
                     "str r4, [sp, #60]\n\t"                                                       \
                     "str r0, [sp, #64]\n\t"                                                       \
                     "bgt 3b\n\t"                                                                  \
                     "b 6f\n"                                                                      \
                     "5:\n\t" /* the last one to three of a row */                                 \
                     "cmp r2, #-2\n\t"                                                             \
                     "blt 6f\n\t"                                                                  \
                     "strb r12, [r0, r1]\n\t"                                                      \
                     "add r0, r0, r1, lsl #1\n\t"                                                  \
                     "ble 6f\n\t"                                                                  \
                     "strb lr, [r0]\n"                                                             \
                     "6:\n\t"                                                                      \
                     "ldr r1, [sp, #44]\n\t"                                                       \
                     "ldr r2, [sp, #8]\n\t"                                                        \
                     "ldr r3, [sp, #48]\n\t"                                                       \
                     "ldr r4, [sp, #12]\n\t"                                                       \
                     "ldr r5, [sp, #52]\n\t"                                                       \
                     "add r1, r1, r2\n\t"                                                          \
                     "add r3, r3, r4\n\t"                                                          \
                     "subs r5, r5, #1\n\t"                                                         \
                     "str r1, [sp, #44]\n\t"                                                       \
                     "str r3, [sp, #48]\n\t"                                                       \
                     "str r5, [sp, #52]\n\t"                                                       \
                     "bgt 2b\n\t"                                                                  \
                     "ldr r1, [sp, #40]\n\t"                                                       \
                     "ldr r3, [sp, #28]\n\t"                                                       \
                     "ldr r4, [sp, #32]\n\t"                                                       \
                     "ldr r5, [sp, #36]\n\t"                                                       \
                     "add r1, r1, #12\n\t"                                                         \
                     "add r3, r3, #4\n\t"                                                          \
                     "add r4, r4, #1\n\t"                                                          \
                     "subs r5, r5, #1\n\t"                                                         \
                     "str r1, [sp, #20]\n\t"                                                       \
                     "str r3, [sp, #28]\n\t"                                                       \
                     "str r4, [sp, #32]\n\t"                                                       \
                     "str r5, [sp, #36]\n\t"                                                       \
                     "bgt 1b\n\t"                                                                  \
                     "add sp, sp, #68\n\t"                                                         \
                     "pop {r4-r11, lr}\n\t"                                                        \
                     : "+r"(r0)                                                                    \
                     :                                                                             \
                     : "r1", "r2", "r3", "r12", "cc", "memory")

#else

/* One output, whose window starts in column x of the planes; words: weights of a row. */
static inline int8_t pl_dwt_one(const int32_t *in, int32_t pair, int32_t x, const int32_t *record,
                                int32_t kernel_h, int32_t kernel_w, int32_t words)
{
    int32_t acc = *record++;
    for (int32_t ky = 0; ky < kernel_h; ky++, in += 4, record += words) {
        for (int32_t kx = 0; kx < kernel_w; kx++) {
            const int32_t data = in[(x + kx) / 2 * pair];
            const int32_t w = kx + 1 < kernel_w ? record[kx / 2] : record[words - 1];
            const int32_t high = kx + 1 < kernel_w ? kx % 2 : words == kernel_w - 1;
            const int32_t d = (x + kx) % 2 ? pl_high(data) : pl_low(data);
            acc += d * (high ? pl_high(w) : pl_low(w));
        }
    }
    const int32_t v = pl_smmlar(acc, record[0], record[1]) + (acc >> 31);
    return (int8_t)pl_ssat8(v >> record[2]);
}

static inline void pl_dwt_run(const pl_dwt_job *job, int32_t pair, int32_t kernel_w, int32_t stride)
{
    const int32_t words = stride == 1 ? kernel_w - 1 : (kernel_w + 1) / 2;
    const int32_t kernel_h = job->weights / 4 / words;
    for (int32_t c = 0; c < job->channels; c++) {
        const int32_t *record = job->records + c * (job->weights / 4 + 4);
        for (int32_t row = 0; row < job->rows; row++) {
            const int32_t *in = job->planes + c + row * (job->line / 4);
            int8_t *y = job->y + c + row * job->row;
            for (int32_t x = 0; x < job->run; x++, y += job->step) {
                *y = pl_dwt_one(in, pair, stride * x, record, kernel_h, kernel_w, words);
            }
        }
    }
}

#endif

/* Four channels of runs of `run` outputs on `rows` rows of planes. */
static inline pl_dwt_job pl_dwt_job_of(const int32_t *planes, int32_t rows, int32_t run,
                                       const int32_t *records, int8_t *y, const pl_dwt_params *p)
{
    pl_dwt_job job;
    job.step = p->in_c;
    job.run = run;
    job.line = 16 * p->stride_h;
    job.row = p->out_w * p->in_c;
    job.rows = rows;
    job.records = records;
    job.weights = 4 * (p->record - 4);
    job.planes = planes;
    job.y = y;
    job.channels = 4;
    return job;
}
