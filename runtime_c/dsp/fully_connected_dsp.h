#pragma once
#include "store_s8__dsp.h"

/* Fully-connected layer of int8, or 1x1 convolution of few pixels: as pl_pointwise_s8.
 *
 *   y[i][oc] = clamp(requantize(bias[oc] + sum over ic of x[i][ic] * weights[oc][ic])),  i < pixels
 *
 * x        [pixels][in_c], in_c >= 4; y [pixels][out_c]; they must not overlap
 * stream   for each six channels: of four values of k at a time, three words of lanes 0 and 2, then
 *          three of lanes 1 and 3; behind all of them the six pl_channel_dsp. A word holds two
 *          channels, for the variants "lanes" and "any" of gemm_dsp.h. The first four values are
 *          x[0..3]; the others begin at x[in_c % 4], or x[4]: so no word reaches beyond x, and
 *          values that come twice have weight 0 the first time. The last six channels are the last
 *          of the layer, and may overlap with those before.
 * No scratch.
 */
typedef struct {
    int32_t in_c, out_c, low, high;
    const int32_t *stream;
} pl_fully_connected_dsp_params;

typedef struct {
    const int8_t *x, *x_next, *x_end; /* the first word, the others */
    int32_t skip;                     /* words the first round of the loop jumps over */
    const int32_t *stream_end;
    int8_t *y;
    const int32_t *stream;
} pl_fully_connected_dsp_args;

typedef void pl_fully_connected_dsp_function(const pl_fully_connected_dsp_args *a);

enum { PL_FC_UNROLL = 8, PL_FC_CHANNELS = 6 };

#if defined(__GNUC__) && defined(__ARM_FEATURE_DSP)

#define PL_FC_MUL(acc, x, w) "smuad " acc ", " x ", " w "\n\t"
#define PL_FC_MLA(acc, x, w) "smlad " acc ", " x ", " w ", " acc "\n\t"
#define PL_FC_WORDS(OP, x, second)                                                                 \
    "sxtb16 lr, r10\n\t" second("r10") OP("r4", x, "lr") OP("r5", x, "r10")                        \
    "sxtb16 lr, r11\n\t" second("r11") OP("r6", x, "lr") OP("r7", x, "r11")                        \
    "sxtb16 lr, r12\n\t" second("r12") OP("r8", x, "lr") OP("r9", x, "r12")
/* The second channel's lanes of a word: as it is (variant "lanes"), or unpacked ("any"). */
#define PL_FC_LANES(w) ""
#define PL_FC_ANY(w) "sxtb16 " w ", " w ", ror #8\n\t"
/* Four values of k, the word in r2, for the channel pairs (r4, r5), (r6, r7) and (r8, r9). */
#define PL_FC_STEP(OP, second)                                                                     \
    "ldr r10, [r1], #4\n\tldr r11, [r1], #4\n\tldr r12, [r1], #4\n\tsxtb16 r3, r2\n\t"             \
    PL_FC_WORDS(OP, "r3", second)                                                                  \
    "ldm.w r1!, {r10, r11, r12}\n\tsxtb16 r2, r2, ror #8\n\t" PL_FC_WORDS(PL_FC_MLA, "r2", second)
#define PL_FC_SPLIT "sub r5, r5, r4\n\tsub r7, r7, r6\n\tsub r9, r9, r8\n\t"
#define PL_FC_OUT(acc, how)                                                                        \
    "ldm r1!, {r0, r2, r3, r12}\n\tadd " acc ", r0, " acc ", " how "\n\tadd lr, r3, " acc          \
    ", asr #31\n\t"                                                                                \
    "smmlar " acc ", " acc ", r2, lr\n\tasr " acc ", " acc ", r12\n\tssat " acc ", #8, " acc       \
    "\n\t"                                                                                         \
    "strb " acc ", [r10], #1\n\t"

/* The function in assembly; half the bytes of code of four values of k; `how` doubles the second
 * channel's sum. To the stack: x, x_next, x_end, skip, stream_end, y. */
#define PL_FC(half, second, split, how)                                                            \
    "push {r7}\n\tldm r0!, {r2-r7}\n\tldr r1, [r0]\n\tpush {r2-r7}\n"                              \
    "2:\n\tldr r0, [sp]\n\tldr r2, [r0]\n\tldr r0, [sp, #4]\n\t" PL_FC_STEP(PL_FC_MUL, second)     \
    "ldr r2, [sp, #12]\n\t" PL_SKIP_LONG_TABLE("r2", half)                                         \
    "3:\n\t.rept 8\n\tldr.w r2, [r0], #4\n\t" PL_FC_STEP(PL_FC_MLA, second) ".endr\n\t"            \
    "ldr r2, [sp, #8]\n\tcmp r0, r2\n\tbne 3b\n\tldr r10, [sp, #20]\n\t" split                     \
    PL_FC_OUT("r4", "lsl #1") PL_FC_OUT("r5", how) PL_FC_OUT("r6", "lsl #1")                       \
    PL_FC_OUT("r7", how) PL_FC_OUT("r8", "lsl #1") PL_FC_OUT("r9", how)                            \
    "str r10, [sp, #20]\n\tldr r2, [sp, #16]\n\tcmp r1, r2\n\tbne 2b\n\tadd sp, #24\n\tpop {r7}"
#define PL_FC_RUN(text, any)                                                                       \
    register const pl_fully_connected_dsp_args *args __asm__("r0") = a;                            \
    __asm__ volatile(text                                                                          \
                     : "+r"(args)                                                                  \
                     :                                                                             \
                     : "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr",  \
                       "cc", "memory")

#else

/* The same in C. */
static inline void pl_fully_connected_dsp_groups(const pl_fully_connected_dsp_args *a, int32_t any)
{
    const int32_t words = 1 + (int32_t)(a->x_end - a->x_next) / 4;
    int8_t *y = a->y;
    for (const int32_t *w = a->stream; w < a->stream_end;) {
        int32_t sum0[3] = {0}, sum1[3] = {0};
        for (int32_t i = 0; i < words; i++) {
            const int32_t x = pl_ld32(i == 0 ? a->x : a->x_next + 4 * (i - 1));
            for (int32_t j = 0; j < 6; j++) {
                const int32_t lanes = j < 3 ? pl_sxtb16(x) : pl_sxtb16_ror8(x), v = *w++;
                sum0[j % 3] = pl_smlad(lanes, pl_sxtb16(v), sum0[j % 3]);
                sum1[j % 3] = pl_smlad(lanes, any ? pl_sxtb16_ror8(v) : v, sum1[j % 3]);
            }
        }
        for (int32_t j = 0; j < 3; j++, w += 8) {
            *y++ = (int8_t)pl_requantize_dsp(w[0] + sum0[j] * 2, w[1], w[2], w[3]);
            const int32_t doubled = any ? sum1[j] * 2 : (sum1[j] - sum0[j]) >> 7;
            *y++ = (int8_t)pl_requantize_dsp(w[4] + doubled, w[5], w[6], w[7]);
        }
    }
}

#define PL_FC_RUN(text, any) pl_fully_connected_dsp_groups(a, any)

#endif

static PL_DSP_INLINE void pl_fully_connected_dsp_run(const int8_t *x, int8_t *y, int32_t pixels,
                                                     const pl_fully_connected_dsp_params *p,
                                                     pl_fully_connected_dsp_function *channels)
{
    const int32_t in_c = p->in_c, out_c = p->out_c, words = (in_c + 3) >> 2;
    const int32_t rest = (words - 1) % PL_FC_UNROLL, group = 6 * words + 4 * PL_FC_CHANNELS;
    const int32_t groups = (out_c + PL_FC_CHANNELS - 1) / PL_FC_CHANNELS;
    int8_t *begin = y;
    pl_fully_connected_dsp_args a;
    a.skip = rest == 0 && words > 1 ? 0 : PL_FC_UNROLL - rest;
    for (int32_t i = 0; i < pixels; i++, x += in_c, y += out_c) {
        int8_t few[PL_FC_CHANNELS];
        a.x = x;
        a.x_end = x + in_c;
        a.x_next = a.x_end - 4 * (words - 1);
        a.stream = p->stream;
        a.stream_end = a.stream + (groups - 1) * group;
        a.y = y;
        if (groups > 1) {
            channels(&a);
        }
        a.stream = a.stream_end;
        a.stream_end += group;
        a.y = out_c < PL_FC_CHANNELS ? few : y + out_c - PL_FC_CHANNELS;
        channels(&a);
        for (int32_t c = 0; out_c < PL_FC_CHANNELS && c < out_c; c++) {
            y[c] = few[c];
        }
    }
    if (p->low > -128 || p->high < 127) {
        pl_clamp_s8(begin, pixels * out_c, p->low, p->high);
    }
}
