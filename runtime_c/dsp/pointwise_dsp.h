#pragma once
#include "gemm_dsp.h"

/* 1x1 convolution of int8 over a run of pixels: as pl_pointwise_s8.
 *
 * x        [pixels][in_c]; y [pixels][out_c], out_c >= 2; they must not overlap
 * scratch  16 bytes per pair of gemm.pairs and block of gemm.blocks
 */
typedef struct {
    int32_t in_c;
    pl_gemm_dsp_params gemm;
} pl_pointwise_dsp_params;

#if defined(__GNUC__) && defined(__ARM_FEATURE_DSP)

/* `words` > 0 words of four channels of each pixel, pitch bytes apart, to a block at `to`. The
 * first round of the loop enters it where only words % 8 are left to do. */
static PL_NOINLINE void pl_pointwise_words(int32_t *to, const int8_t *x, int32_t pitch,
                                           int32_t words, int32_t pixels)
{
    const int8_t *from;
    const int32_t skip = -words & 7;
    int32_t *next, a, b, left;
    __asm__ volatile("1:\n\t"
                     "mov %[from], %[x]\n\t"
                     "mov %[next], %[to]\n\t"
                     "mov %[left], %[words]\n\t"
                     PL_SKIP_TABLE("%[skip]", "10")
                     "3:\n\t"
                     ".rept 8\n\t"
                     "ldr.w %[a], [%[from]], #4\n\t"
                     "sxtb16 %[b], %[a]\n\t"
                     "sxtb16 %[a], %[a], ror #8\n\t"
                     "str.w %[a], [%[next], #16]\n\t"
                     "str.w %[b], [%[next]], #32\n\t"
                     ".endr\n\t"
                     "subs %[left], #8\n\t"
                     "bgt 3b\n\t"
                     "add %[to], #4\n\t"
                     "add %[x], %[pitch]\n\t"
                     "subs %[pixels], #1\n\t"
                     "bne 1b"
                     : [to] "+r"(to), [x] "+r"(x), [pixels] "+r"(pixels),
                       [from] "=&r"(from), [next] "=&r"(next), [a] "=&r"(a), [b] "=&r"(b),
                       [left] "=&r"(left)
                     : [pitch] "r"(pitch), [words] "r"(words), [skip] "r"(skip)
                     : "cc", "memory");
}

#else

static void pl_pointwise_words(int32_t *to, const int8_t *x, int32_t pitch, int32_t words,
                               int32_t pixels)
{
    for (const int32_t *end = to + pixels; to < end; to++, x += pitch) {
        pl_gemm_widen(to, x, 4 * words);
    }
}

#endif

/* A block of `pixels` pixels, `pitch` bytes apart: `words` of four channels and `rest` further
 * ones. */
static inline void pl_pointwise_widen(int32_t *to, const int8_t *x, int32_t pitch, int32_t words,
                                      int32_t rest, int32_t pixels)
{
    if (words > 0) {
        pl_pointwise_words(to, x, pitch, words, pixels);
    }
    if (rest > 0) {
        to += 8 * words;
        x += 4 * words;
        for (const int32_t *end = to + pixels; to < end; to++, x += pitch) {
            pl_st32(to, pl_lanes(x[0], rest > 1 ? x[1] : 0));
            if (rest > 2) {
                pl_st32(to + 4, x[2]);
            }
        }
    }
}

static PL_DSP_INLINE void pl_pointwise_dsp_run(const int8_t *x, int8_t *y, int32_t pixels,
                                               int32_t *scratch, const pl_pointwise_dsp_params *p,
                                               pl_gemm_dsp_function *gemm4,
                                               pl_gemm_dsp_function *gemm3)
{
    const int32_t in_c = p->in_c, out_c = p->gemm.out_c, few = pixels < 3;
    const int32_t x_pitch = few ? 0 : in_c;
    pl_gemm_dsp_args a = pl_gemm_begin(scratch, few ? 0 : out_c, &p->gemm);
    int8_t *begin = y;
    for (int32_t left = pixels; left > 0;) {
        const int32_t four = (left & 3) == 0;
        const int32_t blocks = four ? pl_clamp(left >> 2, 1, p->gemm.blocks) : 1;
        const int32_t n = four ? 4 * blocks : few ? 1 : 3, lanes = four ? 4 : 3;
        if (n > left) {
            x -= (n - left) * in_c; /* the last block overlaps the one before */
            y -= (n - left) * out_c;
            left = n;
        }
        const int8_t *from = x;
        for (int32_t i = 0; i < blocks; i++, from += 4 * in_c) {
            pl_pointwise_widen(scratch + i * 4 * p->gemm.pairs, from, x_pitch, in_c >> 2, in_c & 3,
                               lanes);
        }
        pl_gemm_block(&a, y, blocks, four, &p->gemm, gemm4, gemm3);
        x += n * in_c;
        y += n * out_c;
        left -= n;
    }
    if (p->gemm.low > -128 || p->gemm.high < 127) {
        pl_clamp_s8(begin, pixels * out_c, p->gemm.low, p->gemm.high);
    }
}
