#pragma once
#include "../portable/copy.h"
#include "pointwise_dsp.h"

/* As pl_partial_sums_s8, by the loops of gemm_dsp.h: blocks of 4 and 3 pixels times all channels,
 * and pixels that are left over singly.
 *
 * x          [pixels][in_c]; y int32 [pixels][out_c], out_c >= 2; they must not overlap
 * scratch    16 bytes per pair of `pairs` and block of `blocks`
 * pairs      words of weights per two channels
 * stream     weights of all channels by twos, as of gemm_dsp.h, without constants of channels. With
 *            an odd number of channels the last two are out_c - 2 once more, with weights 0, and
 *            out_c - 1
 */
typedef struct {
    int32_t in_c, out_c, accumulate, pairs, blocks;
    const int32_t *stream;
} pl_partial_sums_dsp_params;

#if defined(__GNUC__) && defined(__ARM_FEATURE_DSP)

/* The sums of a pixel are added to those at r0; r2: bytes from a pixel to the next. */
#define PL_GEMM_ADD(acc0, acc1, how)                                                               \
    "ldrd r3, r12, [r0]\n\tadd r3, r3, " acc0 "\n\tadd r12, r12, " acc1 how "\n\t"                 \
    "strd r3, r12, [r0]\n\tadd r0, r0, r2\n\t"
#define PL_GEMM_ADD_BEGIN "ldr r0, [sp, #16]\n\tldr r2, [sp, #20]\n\t"
#define PL_GEMM_ADD_END "ldr r0, [sp, #16]\n\tadds r0, #8\n\t"

#define PL_PARTIAL4(half, unpack, split, how)                                                      \
    PL_GEMM_SUM4(half, unpack, split)                                                              \
    PL_GEMM_ADD_BEGIN PL_GEMM_ADD("r4", "r8", how) PL_GEMM_ADD("r5", "r9", how)                    \
    PL_GEMM_ADD("r6", "r10", how) PL_GEMM_ADD("r7", "r11", how) PL_GEMM_ADD_END                    \
    PL_GEMM_LEAVE("add r1, r1, r2, lsl #2\n\t")
/* r11 keeps the end of the block here. */
#define PL_PARTIAL3(half, unpack, split, how)                                                      \
    PL_GEMM_SUM3(half, unpack, split)                                                              \
    PL_GEMM_ADD_BEGIN PL_GEMM_ADD("r4", "r7", how) PL_GEMM_ADD("r5", "r8", how)                    \
    PL_GEMM_ADD("r6", "r9", how) PL_GEMM_ADD_END                                                   \
    PL_GEMM_LEAVE("add r1, r1, r2\n\tadd r1, r1, r2, lsl #1\n\t")

#define PL_PARTIAL_RUN(text, pixels, any) PL_GEMM_RUN(text, pixels, any, 0)

#else

/* The same in C; `pitch` in bytes, as in assembly. */
static inline void pl_partial_pixels(const pl_gemm_dsp_args *a, int32_t pixels, int32_t any)
{
    const int32_t pairs = (int32_t)(a->x_end - a->x) / 4;
    for (int32_t i = 0; i < a->blocks * pixels; i++) {
        const int32_t *x = a->x + i / pixels * 4 * pairs + i % pixels;
        int8_t *y = a->y + i * a->pitch;
        for (const int32_t *w = a->stream; w < a->stream_end; w += pairs, y += 8) {
            int32_t sum0 = 0, sum1 = 0;
            for (int32_t k = 0; k < pairs; k++) {
                const int32_t v = pl_ld32(x + 4 * k);
                sum0 = pl_smlad(v, pl_sxtb16(w[k]), sum0);
                sum1 = pl_smlad(v, any ? pl_sxtb16_ror8(w[k]) : w[k], sum1);
            }
            sum1 = any ? sum1 : (sum1 - sum0) >> 8;
            pl_st32(y, (int32_t)((uint32_t)pl_ld32(y) + (uint32_t)sum0));
            pl_st32(y + 4, (int32_t)((uint32_t)pl_ld32(y + 4) + (uint32_t)sum1));
        }
    }
}

#define PL_PARTIAL_RUN(text, pixels, any) pl_partial_pixels(a, pixels, any)

#endif

/* Two values of k times four channels, whose weights w0 and w1 hold by twos. */
static PL_DSP_INLINE void pl_partial_pair(int32_t x, int32_t w0, int32_t w1, int32_t acc[4],
                                          int32_t any)
{
    acc[0] = pl_smlad(x, pl_sxtb16(w0), acc[0]);
    acc[1] = pl_smlad(x, any ? pl_sxtb16_ror8(w0) : w0, acc[1]);
    acc[2] = pl_smlad(x, pl_sxtb16(w1), acc[2]);
    acc[3] = pl_smlad(x, any ? pl_sxtb16_ror8(w1) : w1, acc[3]);
}

/* One pixel times the four channels whose weights are at w0 and w1. */
static PL_DSP_INLINE void pl_partial_four(const int8_t *x, int32_t in_c, const int32_t *w0,
                                          const int32_t *w1, int32_t acc[4], int32_t any)
{
    const int32_t rest = in_c & 3;
    for (const int8_t *end = x + in_c - rest; x < end; x += 4, w0 += 2, w1 += 2) {
        const int32_t v = pl_ld32(x);
        pl_partial_pair(pl_sxtb16(v), w0[0], w1[0], acc, any);
        pl_partial_pair(pl_sxtb16_ror8(v), w0[1], w1[1], acc, any);
    }
    if (rest > 0) {
        pl_partial_pair(pl_lanes(x[0], rest > 1 ? x[1] : 0), *w0++, *w1++, acc, any);
    }
    if (rest > 2) {
        pl_partial_pair(pl_lanes(x[2], 0), *w0, *w1, acc, any);
    }
    acc[1] = any ? acc[1] : (acc[1] - acc[0]) >> 8;
    acc[3] = any ? acc[3] : (acc[3] - acc[2]) >> 8;
}

static inline void pl_partial_add(int32_t *y, int32_t sum)
{
    *y = (int32_t)((uint32_t)*y + (uint32_t)sum);
}

/* One pixel: twos of channels of the stream by twos; with an odd number of those the last one
 * beside itself. */
static PL_DSP_INLINE void pl_partial_single(const int8_t *x, int32_t *y,
                                            const pl_partial_sums_dsp_params *p, int32_t any)
{
    const int32_t twos = (p->out_c + 1) >> 1;
    const int32_t *w = p->stream;
    for (int32_t i = 0; i < twos; i += 2, w += 2 * p->pairs) {
        const int32_t second = i + 1 < twos;
        int32_t *to = 2 * i + 2 <= p->out_c ? y + 2 * i : y + p->out_c - 2;
        int32_t acc[4] = {0};
        pl_partial_four(x, p->in_c, w, second ? w + p->pairs : w, acc, any);
        pl_partial_add(to, acc[0]);
        pl_partial_add(to + 1, acc[1]);
        if (second) {
            to = 2 * i + 4 <= p->out_c ? y + 2 * i + 2 : y + p->out_c - 2;
            pl_partial_add(to, acc[2]);
            pl_partial_add(to + 1, acc[3]);
        }
    }
}

/* Blocks of 4 or 3 pixels (`four` or not) at y; with an odd number of channels the last two by
 * themselves. */
static PL_DSP_INLINE void pl_partial_block(pl_gemm_dsp_args *a, int32_t *y, int32_t blocks,
                                           int32_t four, int32_t out_c,
                                           pl_gemm_dsp_function *gemm4,
                                           pl_gemm_dsp_function *gemm3)
{
    const int32_t pairs = (int32_t)(a->x_end - a->x) / 4;
    a->y = (int8_t *)(void *)y;
    a->blocks = blocks;
    a->skip = pl_gemm_skip(pairs, four ? PL_GEMM_UNROLL4 : PL_GEMM_UNROLL3);
    if (four) {
        gemm4(a);
    } else {
        gemm3(a);
    }
    if (out_c & 1) {
        pl_gemm_dsp_args last = *a;
        last.y = (int8_t *)(void *)(y + out_c - 2);
        last.stream = a->stream_end;
        last.stream_end = last.stream + pairs;
        if (four) {
            gemm4(&last);
        } else {
            gemm3(&last);
        }
    }
}

static PL_DSP_INLINE void pl_partial_sums_dsp_run(const int8_t *x, int32_t *y, int32_t pixels,
                                                  int32_t *scratch,
                                                  const pl_partial_sums_dsp_params *p, int32_t any,
                                                  pl_gemm_dsp_function *gemm4,
                                                  pl_gemm_dsp_function *gemm3)
{
    const int32_t in_c = p->in_c, out_c = p->out_c, pairs = p->pairs;
    pl_gemm_dsp_args a = {scratch, scratch + 4 * pairs, 0, NULL, NULL, 4 * out_c, p->stream, 1};
    a.stream_end = p->stream + (out_c >> 1) * pairs;
    if (!p->accumulate) {
        memset(y, 0, (size_t)(pixels * out_c) * sizeof *y);
    }
    for (int32_t left = pixels, n; left > 0; left -= n, x += n * in_c, y += n * out_c) {
        const int32_t four = (left & 3) == 0, blocks = four ? pl_clamp(left >> 2, 1, p->blocks) : 1;
        n = four ? 4 * blocks : left < 3 ? 1 : 3;
        if (n == 1) {
            pl_partial_single(x, y, p, any);
            continue;
        }
        for (int32_t i = 0; i < blocks; i++) {
            pl_pointwise_widen(scratch + i * 4 * pairs, x + i * 4 * in_c, in_c, in_c >> 2, in_c & 3,
                               four ? 4 : 3);
        }
        pl_partial_block(&a, y, blocks, four, out_c, gemm4, gemm3);
    }
}
