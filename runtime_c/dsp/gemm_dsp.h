#pragma once
#include "store_s8__dsp.h"

/* The inner loops of 1x1, kxk and other convolutions: blocks of 4 or 3 pixels times all output
 * channels.
 *
 *   y[p * pitch + c] = requantize(bias[c] + sum over k of x[k][p] * weights[c][k])
 *
 * x        widened to int16, two values of k (a "pair" of lanes) per word: [pairs][4] words, also
 *          where only 3 pixels are used; of the next block behind that
 * stream   for each two channels: `pairs` words of weights, then their two pl_channel_dsp
 *
 * There are variants of the two functions:
 *
 * lanes    A weight word holds, in the two lanes of its pair, 256 * w1 + w0 for the weights of the
 *          two channels. SXTB16 gives w0; multiplying the word as it is gives 256 * sum1 + sum0,
 *          from which sum1 follows exactly as (raw - sum0) >> 8. That saves one unpacking
 *          instruction per word: 16 cycles per 16 multiplications. Bounds (proven when the code was
 *          generated): lanes fit int16, |256 * sum1 + sum0| < 2^31.
 * relu     As lanes, for outputs whose lower clamp is at least the zero point. Then negative sums
 *          need no exact rounding, and the instruction that makes ties round away from zero is left
 *          out.
 * any      A weight word holds w0, w1 of one value of k, then of the next, unpacked by two
 *          instructions: for weights beyond the bounds of the others.
 */
typedef struct {
    const int32_t *x, *x_end;
    int32_t skip; /* how many pairs of the unrolled loop are jumped over in its first round */
    const int32_t *stream_end;
    int8_t *y;
    int32_t pitch;
    const int32_t *stream;
    int32_t blocks;
} pl_gemm_dsp_args;

typedef void pl_gemm_dsp_function(const pl_gemm_dsp_args *a);

/* Pairs in a round of the loops for 4 and 3 pixels. */
enum { PL_GEMM_UNROLL4 = 16, PL_GEMM_UNROLL3 = 8, PL_GEMM_CHANNEL_WORDS = 8 };

#if defined(__GNUC__) && defined(__ARM_FEATURE_DSP)

#define PL_GEMM_MUL(acc, x, w) "smuad " acc ", " x ", " w "\n\t"
#define PL_GEMM_MLA(acc, x, w) "smlad " acc ", " x ", " w ", " acc "\n\t"

/* One pair of k for 4 pixels (sums in r4-r7 and r8-r11) and for 3 (r4-r6, r7-r9). r0: x, r1:
 * stream. `unpack` leaves the first channel's lanes in lr and the second's in r12.
 */
#define PL_GEMM_PAIR4(OP, unpack)                                                                  \
    "ldr r12, [r1], #4\n\tldr r2, [r0], #4\n\tldr r3, [r0], #4\n\t" unpack                         \
    OP("r4", "r2", "lr") OP("r5", "r3", "lr") OP("r8", "r2", "r12") OP("r9", "r3", "r12")          \
    "ldm.n r0!, {r2, r3}\n\t"                                                                      \
    OP("r6", "r2", "lr") OP("r7", "r3", "lr") OP("r10", "r2", "r12") OP("r11", "r3", "r12")
#define PL_GEMM_PAIR3(OP, unpack)                                                                  \
    "ldr r12, [r1], #4\n\tldr r2, [r0], #4\n\tldr r3, [r0], #4\n\tldr r10, [r0], #8\n\t" unpack    \
    OP("r4", "r2", "lr") OP("r5", "r3", "lr") OP("r6", "r10", "lr")                                \
    OP("r7", "r2", "r12") OP("r8", "r3", "r12") OP("r9", "r10", "r12")

/* acc, doubled by `how`, becomes an output; r0 bias2, r2 multiplier, r3 merged, r12 shift. */
#define PL_GEMM_OUT(acc, how)                                                                      \
    "add " acc ", r0, " acc ", " how "\n\tadd lr, r3, " acc ", asr #31\n\t"                        \
    "smmlar " acc ", " acc ", r2, lr\n\tasr " acc ", " acc ", r12\n\tssat " acc ", #8, " acc "\n\t"
#define PL_GEMM_OUT_RELU(acc, how)                                                                 \
    "add " acc ", r0, " acc ", " how "\n\tsmmlar " acc ", " acc ", r2, r3\n\t"                     \
    "asr " acc ", " acc ", r12\n\tssat " acc ", #8, " acc "\n\t"
#define PL_GEMM_CHANNEL "ldm r1!, {r0, r2, r3, r12}\n\t"

/* How words are unpacked, half the bytes of code of a pair of k for 4 and 3 pixels, how the second
 * channel's sums are told from the first's, and doubled. */
#define PL_GEMM_UNPACK_LANES "sxtb16 lr, r12\n\t"
#define PL_GEMM_UNPACK_ANY "sxtb16 lr, r12\n\tsxtb16 r12, r12, ror #8\n\t"
#define PL_GEMM_SPLIT4                                                                             \
    "sub r8, r8, r4\n\tsub r9, r9, r5\n\tsub r10, r10, r6\n\tsub r11, r11, r7\n\t"
#define PL_GEMM_SPLIT3 "sub r7, r7, r4\n\tsub r8, r8, r5\n\tsub r9, r9, r6\n\t"

/* Copies the arguments to the stack, where the loops can reach them without a register:
 * sp: x, x_end, skip, stream_end, y, pitch; stream, y of the block, blocks, saved r7.
 */
#define PL_GEMM_ENTER                                                                              \
    "push {r7}\n\tldm r0!, {r2-r7}\n\tldm r0, {r1, r8}\n\tpush {r1, r6, r8}\n\tpush {r2-r7}\n\t"
/* On to the next two channels, or with r1 at the beginning of the stream to the next block; r2:
 * pitch. */
#define PL_GEMM_LEAVE(next_y)                                                                      \
    "str r0, [sp, #16]\n\tldr r3, [sp, #12]\n\tcmp r1, r3\n\tbne 2b\n\t"                           \
    "ldr r3, [sp, #32]\n\tsubs r3, #1\n\tbeq 4f\n\tstr r3, [sp, #32]\n\t"                          \
    "ldr r1, [sp, #28]\n\t" next_y "str r1, [sp, #28]\n\tstr r1, [sp, #16]\n\t"                    \
    "ldr r1, [sp]\n\tldr r0, [sp, #4]\n\tsubs r1, r0, r1\n\tadd r11, r0, r1\n\t"                   \
    "str r0, [sp]\n\tstr r11, [sp, #4]\n\tldr r1, [sp, #24]\n\tb 2b\n"                             \
    "4:\n\tadd sp, #36\n\tpop {r7}"

/* From the arguments, or from the next two channels, to all sums of a block. */
#define PL_GEMM_SUM4(half, unpack, split)                                                          \
    PL_GEMM_ENTER                                                                                  \
    "2:\n\tldr r0, [sp]\n\t" PL_GEMM_PAIR4(PL_GEMM_MUL, unpack)                                    \
    "ldr r2, [sp, #8]\n\t" PL_SKIP_LONG_TABLE16("r2", half)                                        \
    "3:\n\t.rept 16\n\t" PL_GEMM_PAIR4(PL_GEMM_MLA, unpack) ".endr\n\t"                            \
    "ldr r2, [sp, #4]\n\tcmp r0, r2\n\tbne 3b\n\t" split
#define PL_GEMM_SUM3(half, unpack, split)                                                          \
    PL_GEMM_ENTER "ldr r11, [sp, #4]\n"                                                            \
    "2:\n\tldr r0, [sp]\n\t" PL_GEMM_PAIR3(PL_GEMM_MUL, unpack)                                    \
    "ldr r2, [sp, #8]\n\t" PL_SKIP_TABLE("r2", half)                                               \
    "3:\n\t.rept 8\n\t" PL_GEMM_PAIR3(PL_GEMM_MLA, unpack) ".endr\n\tcmp r0, r11\n\tbne 3b\n\t"    \
    split

#define PL_GEMM4(half, unpack, split, OUT, how)                                                    \
    PL_GEMM_SUM4(half, unpack, split)                                                              \
    PL_GEMM_CHANNEL OUT("r4", "lsl #1") OUT("r5", "lsl #1")                                        \
    OUT("r6", "lsl #1") OUT("r7", "lsl #1")                                                        \
    PL_GEMM_CHANNEL OUT("r8", how) OUT("r9", how) OUT("r10", how) OUT("r11", how)                  \
    "ldr r0, [sp, #16]\n\tldr r2, [sp, #20]\n\tadds r3, r0, r2\n\t"                                \
    "strb r6, [r0, r2, lsl #1]\n\tstrb r7, [r3, r2, lsl #1]\n\t"                                   \
    "strb r4, [r0], #1\n\tstrb r5, [r3], #1\n\t"                                                   \
    "strb r10, [r0, r2, lsl #1]\n\tstrb r11, [r3, r2, lsl #1]\n\t"                                 \
    "strb r8, [r0], #1\n\tstrb r9, [r3]\n\t" PL_GEMM_LEAVE("add r1, r1, r2, lsl #2\n\t")
#define PL_GEMM3(half, unpack, split, OUT, how)                                                    \
    PL_GEMM_SUM3(half, unpack, split)                                                              \
    PL_GEMM_CHANNEL OUT("r4", "lsl #1") OUT("r5", "lsl #1") OUT("r6", "lsl #1")                    \
    PL_GEMM_CHANNEL OUT("r7", how) OUT("r8", how) OUT("r9", how)                                   \
    "ldr r0, [sp, #16]\n\tldr r2, [sp, #20]\n\tadds r3, r0, r2\n\t"                                \
    "strb r6, [r0, r2, lsl #1]\n\tstrb r4, [r0], #1\n\tstrb r5, [r3], #1\n\t"                      \
    "strb r9, [r0, r2, lsl #1]\n\tstrb r7, [r0], #1\n\tstrb r8, [r3]\n\t"                          \
    PL_GEMM_LEAVE("add r1, r1, r2\n\tadd r1, r1, r2, lsl #1\n\t")

/* Runs that assembly on the arguments a. */
#define PL_GEMM_RUN(text, pixels, any, relu)                                                       \
    register const pl_gemm_dsp_args *args __asm__("r0") = a;                                       \
    __asm__ volatile(text                                                                          \
                     : "+r"(args)                                                                  \
                     :                                                                             \
                     : "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr",  \
                       "cc", "memory")

#else

/* Two channels of one pixel in C: `any` and `relu` as above; w: their part of the stream. */
static inline void pl_gemm_pixel(const int32_t *x, const int32_t *w, int32_t pairs, int8_t *y,
                                 int32_t any, int32_t relu)
{
    const int32_t *c = w + pairs;
    int32_t sum0 = 0, sum1 = 0;
    for (int32_t i = 0; i < pairs; i++) {
        const int32_t v = pl_ld32(x + 4 * i);
        sum0 = pl_smlad(v, pl_sxtb16(w[i]), sum0);
        sum1 = pl_smlad(v, any ? pl_sxtb16_ror8(w[i]) : w[i], sum1);
    }
    const int32_t doubled0 = c[0] + sum0 * 2;
    const int32_t doubled1 = c[4] + (any ? sum1 * 2 : (sum1 - sum0) >> 7);
    const int32_t sign0 = relu ? 0 : doubled0 >> 31, sign1 = relu ? 0 : doubled1 >> 31;
    y[0] = (int8_t)pl_ssat8(pl_smmlar(doubled0, c[1], c[2] + sign0) >> c[3]);
    y[1] = (int8_t)pl_ssat8(pl_smmlar(doubled1, c[5], c[6] + sign1) >> c[7]);
}

static inline void pl_gemm_pixels(const pl_gemm_dsp_args *a, int32_t pixels, int32_t any,
                                  int32_t relu)
{
    const int32_t pairs = (int32_t)(a->x_end - a->x) / 4;
    for (int32_t i = 0; i < a->blocks * pixels; i++) {
        const int32_t *x = a->x + i / pixels * 4 * pairs + i % pixels;
        int8_t *y = a->y + i * a->pitch;
        const int32_t step = pairs + PL_GEMM_CHANNEL_WORDS;
        for (const int32_t *w = a->stream; w < a->stream_end; w += step, y += 2) {
            pl_gemm_pixel(x, w, pairs, y, any, relu);
        }
    }
}

/* Writes n (a multiple of 4) adjacent activations of one pixel of a block, widened: of each four
 * the pair 0 and 2, then 1 and 3. Returns where the next pair goes.
 */
static inline int32_t *pl_gemm_widen(int32_t *to, const int8_t *x, int32_t n)
{
    for (; n >= 4; n -= 4, x += 4, to += 8) {
        const int32_t v = pl_ld32(x);
        pl_st32(to, pl_sxtb16(v));
        pl_st32(to + 4, pl_sxtb16_ror8(v));
    }
    return to;
}

#define PL_GEMM_RUN(text, pixels, any, relu) pl_gemm_pixels(a, pixels, any, relu)

#endif

/* pairs      words of weights per two channels; low, high: clamp beyond int8's own range
 * blocks     how many blocks of 4 pixels scratch has room for
 * stream     of all channels by twos; with an odd number of channels the last two entries share one
 */
typedef struct {
    int32_t pairs, out_c, low, high, blocks;
    const int32_t *stream;
} pl_gemm_dsp_params;

/* How many pairs the first round of a loop of `unroll` leaves out; one pair is done before. */
static inline int32_t pl_gemm_skip(int32_t pairs, int32_t unroll)
{
    const int32_t rest = (pairs - 1) % unroll;
    return rest == 0 && pairs > 1 ? 0 : unroll - rest;
}

/* Arguments for blocks at x whose pixels are `pitch` apart in the output; y changes from block to
 * block. */
static inline pl_gemm_dsp_args pl_gemm_begin(const int32_t *x, int32_t pitch,
                                             const pl_gemm_dsp_params *p)
{
    const int32_t pairs = p->pairs;
    pl_gemm_dsp_args a;
    a.x = x;
    a.x_end = x + 4 * pairs;
    a.skip = 0;
    a.y = NULL;
    a.blocks = 1;
    a.pitch = pitch;
    a.stream = p->stream;
    a.stream_end = p->stream + (p->out_c >> 1) * (pairs + PL_GEMM_CHANNEL_WORDS);
    return a;
}

/* `blocks` blocks of 4 or 3 pixels (`four` or not) at y, by the functions of a variant. */
static PL_DSP_INLINE void pl_gemm_block(pl_gemm_dsp_args *a, int8_t *y, int32_t blocks,
                                        int32_t four, const pl_gemm_dsp_params *p,
                                        pl_gemm_dsp_function *gemm4, pl_gemm_dsp_function *gemm3)
{
    a->y = y;
    a->blocks = blocks;
    a->skip = pl_gemm_skip(p->pairs, four ? PL_GEMM_UNROLL4 : PL_GEMM_UNROLL3);
    if (four) {
        gemm4(a);
    } else {
        gemm3(a);
    }
    if (p->out_c & 1) {
        pl_gemm_dsp_args last = *a;
        last.y = y + p->out_c - 2;
        last.stream = a->stream_end;
        last.stream_end = last.stream + p->pairs + PL_GEMM_CHANNEL_WORDS;
        if (four) {
            gemm4(&last);
        } else {
            gemm3(&last);
        }
    }
}
