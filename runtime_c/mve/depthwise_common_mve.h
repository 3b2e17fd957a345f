#pragma once
#include "common_mve.h"

/* What the Helium kernels of depthwise convolution share: strips of columns, and the walk over them.
 *
 * Lanes along channels would need two instructions per 8 products. Here the 16 lanes are taps of one
 * channel instead, which one VMLADAV multiplies and adds up: the rows under the window, in groups of 4
 * (one word), of columns side by side. A strip holds them for 16 channels: records of 64 bytes,
 * [16 channels][4 rows], some per column. Four words at a distance of 64 bytes are a vector of taps of
 * one channel; 1 + steps such vectors, 256 bytes apart, hold a window.
 *
 * A walk computes rounds of 8 outputs for up to 16 channels: lane 2j is window j of the first row, lane
 * 2j + 1 is window j of the second row (two) or window 4 + j. The assembly knows the layout.
 */
typedef struct {
    const int8_t *x; /* strip at the first channel and window */
    int8_t *y;       /* output of the first channel and window */
    int32_t x_step, y_step; /* bytes from one round to the next */
    const int32_t *channel; /* per channel: weights [1 + steps][sets][16]; bias, multiplier, shift to
                             * the left, zero point (16 bits) with PL_MVE_SLOW */
    const int32_t *channel_end;
    int32_t rounds;
    uint32_t mask, last_mask; /* lanes to store, 2 bits each; in the last round */
    int32_t steps, low, high; /* low and high count where PL_MVE_SLOW is set */
    int32_t skip;             /* one row: bytes from the end of window 0 to window 4 */
    int32_t back;             /* bytes from the end of the last window to the next channel */
    uint32_t windows[4][4];   /* byte offsets of the first vector's words, of windows 0 to 3 */
    uint16_t places[8];       /* byte offsets of the outputs of lanes 0 to 7 */
    int32_t two, sets; /* two rows; sets of weights: 2 where each of them has its own */
} pl_mve_walk;

/* In the word of the zero point: shifts to the left, or outputs clamped to less than int8. */
#define PL_MVE_SLOW 0x80000000u

#ifdef PL_MVE
#define PL_MVE_OFFSETS                                                                             \
    "vldrw.u32 q0, [r11, #56]\n\tvldrw.u32 q1, [r11, #72]\n\t"                                   \
    "vldrw.u32 q2, [r11, #88]\n\tvldrw.u32 q3, [r11, #104]\n"
/* A round begins at 1, a channel of it at 2, with the strip in r1, the outputs in r9, the record in r5. */
#define PL_MVE_ROUND                                                                               \
    "1:\n\tldrd r1, r9, [r11]\n\tldrd r8, r10, [r11, #24]\n\tldr r5, [r11, #16]\n\t"             \
    "subs r8, #1\n\tstr r8, [r11, #24]\n\tit eq\n\tldreq r10, [r11, #32]\n\tvmsr p0, r10\n"
#define PL_MVE_NEXT                                                                                \
    "add r9, #1\n\tldr r8, [r11, #20]\n\tcmp r5, r8\n\tbne 2b\n\t"                              \
    "ldrd r1, r9, [r11]\n\tldrd r0, r2, [r11, #8]\n\tldr r3, [r11, #24]\n\t"                     \
    "add r1, r1, r0\n\tadd r9, r9, r2\n\tcmp r3, #0\n\tstrd r1, r9, [r11]\n\tbne 1b"
#define PL_MVE_BACK "ldr r8, [r11, #52]\n\tadd r1, r1, r8\n\t"
/* Weights of one row or two. */
#define PL_MVE_WEIGHTS1 "vldrw.u32 q5, [r5], #16\n\t"
#define PL_MVE_WEIGHTS2 PL_MVE_WEIGHTS1 "vldrw.u32 q6, [r5], #16\n\t"
/* The same, where the weights of the second row are those of the first in the next lane of 4. */
#define PL_MVE_SHIFTED PL_MVE_WEIGHTS1 "vshl.i32 q6, q5, #8\n\t"
/* Windows 0 to 3 of one row or two, with mla = vmladav or vmladava. */
#define PL_MVE_FOUR1(mla, a, b, c, d)                                                              \
    "vldrw.u32 q7, [r1, q0]\n\t" mla ".s8 " a ", q7, q5\n\t"                                       \
    "vldrw.u32 q7, [r1, q1]\n\t" mla ".s8 " b ", q7, q5\n\t"                                       \
    "vldrw.u32 q7, [r1, q2]\n\t" mla ".s8 " c ", q7, q5\n\t"                                       \
    "vldrw.u32 q7, [r1, q3]\n\t" mla ".s8 " d ", q7, q5\n\t"
#define PL_MVE_FOUR2(mla)                                                                          \
    "vldrw.u32 q7, [r1, q0]\n\t" mla ".s8 r0, q7, q5\n\t" mla ".s8 r8, q7, q6\n\t"                 \
    "vldrw.u32 q7, [r1, q1]\n\t" mla ".s8 r2, q7, q5\n\t" mla ".s8 r10, q7, q6\n\t"                \
    "vldrw.u32 q7, [r1, q2]\n\t" mla ".s8 r4, q7, q5\n\t" mla ".s8 r12, q7, q6\n\t"                \
    "vldrw.u32 q7, [r1, q3]\n\t" mla ".s8 r6, q7, q5\n\t" mla ".s8 lr, q7, q6\n\t"
/* Sums of windows one vector apart: x_0 to x_3 are the vectors of windows 0 to 3 at this step. */
#define PL_MVE_NEAR(mla, a, b, c, d, x0, x1, x2, x3)                                               \
    "vldrw.u32 q7, [r5], #16\n\t" mla ".s8 " a ", " x0 ", q7\n\t" mla ".s8 " b ", " x1 ", q7\n\t" \
    mla ".s8 " c ", " x2 ", q7\n\t" mla ".s8 " d ", " x3 ", q7\n\t"
#define PL_MVE_NEAR1(mla, ...) PL_MVE_NEAR(mla, "r0", "r2", "r4", "r6", __VA_ARGS__)
#define PL_MVE_NEAR2(mla, ...) PL_MVE_NEAR(mla, "r8", "r10", "r12", "lr", __VA_ARGS__)
#define PL_MVE_NEAR_LOAD6                                                                          \
    "vldrw.u32 q7, [r11, #56]\n\tvadd.i32 q7, q7, r1\n\tvldrw.u32 q0, [q7]\n\t"                  \
    "vldrw.u32 q1, [q7, #256]!\n\tvldrw.u32 q2, [q7, #256]!\n\tvldrw.u32 q3, [q7, #256]!\n\t"    \
    "vldrw.u32 q4, [q7, #256]!\n\tvldrw.u32 q5, [q7, #256]!\n\t"
#define PL_MVE_NEAR_LOAD7 PL_MVE_NEAR_LOAD6 "vldrw.u32 q6, [q7, #256]!\n\t"
/* Sums to vectors q4 and q7; bias, multiplier, shift and zero point from the record. */
#define PL_MVE_GATHER                                                                              \
    "vmov q4[2], q4[0], r0, r4\n\tvmov q4[3], q4[1], r2, r6\n\t"                                   \
    "vmov q7[2], q7[0], r8, r12\n\tvmov q7[3], q7[1], r10, lr\n\t"                                 \
    "ldm r5!, {r0, r2, r4, r6}\n\t"                                                               \
    "vadd.i32 q4, q4, r0\n\tvadd.i32 q7, q7, r0\n\t"
/* Rounding ties up. */
#define PL_MVE_REQUANT_UP                                                                          \
    "vqrdmulh.s32 q4, q4, r2\n\tvqrdmulh.s32 q7, q7, r2\n\t"                                       \
    "vrshl.s32 q4, r4\n\tvrshl.s32 q7, r4\n\t"                                                     \
    "vqmovnb.s32 q4, q4\n\tvqmovnt.s32 q4, q7\n\tvqadd.s16 q4, q4, r6\n\tvqmovnb.s16 q4, q4\n\t"
/* Rounding ties away from zero; at 7 with shifts to either side and a clamp. */
#define PL_MVE_REQUANT                                                                             \
    "lsls r8, r6, #1\n\t"                                                                          \
    "bcs 7f\n\t"                                                                                   \
    "vqrdmulh.s32 q4, q4, r2\n\tvqrdmulh.s32 q7, q7, r2\n\t"                                       \
    "vshr.s32 q5, q4, #31\n\tvshr.s32 q6, q7, #31\n\t"                                             \
    "vadd.i32 q4, q4, q5\n\tvadd.i32 q7, q7, q6\n\t"                                               \
    "vrshl.s32 q4, r4\n\tvrshl.s32 q7, r4\n\t"                                                     \
    "vqmovnb.s32 q4, q4\n\tvqmovnt.s32 q4, q7\n\tvqadd.s16 q4, q4, r6\n\tvqmovnb.s16 q4, q4\n\t"   \
    "b 8f\n"                                                                                       \
    "7:\n\t"                                                                                       \
    "usat r8, #5, r4\n\tsub r4, r4, r8\n\tlsr r12, r4, #31\n\t"                                    \
    "vshl.s32 q4, r8\n\tvshl.s32 q7, r8\n\t"                                                       \
    "vqrdmulh.s32 q4, q4, r2\n\tvqrdmulh.s32 q7, q7, r2\n\t"                                       \
    "vshr.s32 q5, q4, #31\n\tvshr.s32 q6, q7, #31\n\t"                                             \
    "vmla.s32 q4, q5, r12\n\tvmla.s32 q7, q6, r12\n\t"                                             \
    "vrshl.s32 q4, r4\n\tvrshl.s32 q7, r4\n\t"                                                     \
    "vqmovnb.s32 q4, q4\n\tvqmovnt.s32 q4, q7\n\tvqadd.s16 q4, q4, r6\n\t"                         \
    "ldrd r8, r10, [r11, #40]\n\tvdup.16 q5, r8\n\tvdup.16 q6, r10\n\t"                            \
    "vmax.s16 q4, q4, q5\n\tvmin.s16 q4, q4, q6\n"                                                 \
    "8:\n\t"
#define PL_MVE_PUT "vldrh.u16 q7, [r11, #120]\n\tvpst\n\tvstrbt.16 q4, [r9, q7]\n\t"
#define PL_MVE_CLOBBERS                                                                            \
    "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r12", "lr", "q0", "q1", "q2",    \
        "q3", "q4", "q5", "q6", "q7", "cc", "memory"
#endif

/* y[places[lane]] = clamp(requantize(bias + window . weights)) for all rounds and channels of a walk. */
static inline void pl_mve_walk_host(const pl_mve_walk *w)
{
    const int8_t *x = w->x;
    int8_t *y = w->y;
    for (const int32_t *c = w->channel; c < w->channel_end; x += 4, y++) {
        const int8_t *weights = (const int8_t *)(const void *)c;
        c += (1 + w->steps) * w->sets * 4 + 4;
        for (int32_t i = 0; i < 8 * w->rounds; i++) {
            const int32_t lane = i % 8, odd = lane & 1;
            const int32_t other = odd && !w->two ? w->x_step / 2 : 0;
            const int8_t *from = x + i / 8 * w->x_step + other;
            const uint32_t mask = i / 8 == w->rounds - 1 ? w->last_mask : w->mask;
            int32_t sum = c[-4];
            if ((mask >> (2 * lane) & 1u) == 0u) {
                continue;
            }
            for (int32_t v = 0; v < 16 * (1 + w->steps); v++) {
                const uint32_t at = w->windows[lane / 2][v / 4 % 4] + (uint32_t)(v / 16 * 256 + v % 4);
                const int8_t *set = weights + (v / 16 * w->sets + odd * (w->sets - 1)) * 16;
                const int32_t shifted = odd & w->two & (w->sets == 1);
                sum += from[at] * (shifted ? v % 4 > 0 ? set[v % 16 - 1] : 0 : set[v % 16]);
            }
            sum = pl_requantize(sum, c[-3], c[-2], (int16_t)(c[-1] & 0xffff));
            y[i / 8 * w->y_step + w->places[lane]] = (int8_t)pl_clamp(sum, w->low, w->high);
        }
    }
}

/* The body of a function that runs a walk: assembly with the walk in r11, or its equivalent in C. */
#ifdef PL_MVE
#define PL_MVE_RUN(w, code)                                                                        \
    register pl_mve_walk *walk __asm__("r11") = w;                                                 \
    __asm__ volatile(code : : "r"(walk) : PL_MVE_CLOBBERS)
#else
#define PL_MVE_RUN(w, code) pl_mve_walk_host(w)
#endif

/* to[i * step + 4 * c + r] = from[r][i * pitch + c] for c < n, i < count, r < 4; n <= 16, count >= 1. For
 * c >= n, up to 16, something is written too.
 */
static PL_NOINLINE void pl_mve_strip4(int8_t *to, const int8_t *const from[4], int32_t count,
                                      int32_t pitch, int32_t n, int32_t step)
{
#ifdef PL_MVE
    register const int8_t *a __asm__("r0") = from[0], *b __asm__("r1") = from[1];
    register const int8_t *c __asm__("r2") = from[2], *d __asm__("r3") = from[3];
    register int8_t *strip __asm__("r4") = to;
    register int32_t across __asm__("r5") = pitch, along __asm__("r6") = step;
    register int32_t lanes __asm__("r8") = n, rounds __asm__("r9") = count;
    __asm__ volatile("vctp.8 %[lanes]\n\t"
                     "dls lr, %[rounds]\n"
                     "1:\n\t"
                     "vpstttt\n\t"
                     "vldrbt.u8 q0, [%[a]]\n\t"
                     "vldrbt.u8 q1, [%[b]]\n\t"
                     "vldrbt.u8 q2, [%[c]]\n\t"
                     "vldrbt.u8 q3, [%[d]]\n\t"
                     "add %[a], %[a], %[across]\n\t"
                     "vst40.8 {q0, q1, q2, q3}, [%[strip]]\n\t"
                     "add %[b], %[b], %[across]\n\t"
                     "vst41.8 {q0, q1, q2, q3}, [%[strip]]\n\t"
                     "add %[c], %[c], %[across]\n\t"
                     "vst42.8 {q0, q1, q2, q3}, [%[strip]]\n\t"
                     "add %[d], %[d], %[across]\n\t"
                     "vst43.8 {q0, q1, q2, q3}, [%[strip]]\n\t"
                     "add %[strip], %[strip], %[along]\n\t"
                     "le lr, 1b"
                     : [a] "+&r"(a), [b] "+&r"(b), [c] "+&r"(c), [d] "+&r"(d), [strip] "+&r"(strip)
                     : [across] "r"(across), [along] "r"(along), [lanes] "r"(lanes),
                       [rounds] "r"(rounds)
                     : "lr", "q0", "q1", "q2", "q3", "memory");
#else
    for (int32_t i = 0; i < count; i++, to += step) {
        for (int32_t c = 0; c < n; c++) {
            for (int r = 0; r < 4; r++) {
                to[4 * c + r] = from[r][i * pitch + c];
            }
        }
    }
#endif
}
