#pragma once
#include "pixel_f32.h"

#if PL_FPU_ASM
/* Values of four pixels (s16 to s19) times the weight w of one channel, added to four sums. */
#define PL_SUMS_CHANNEL(w, a, b, c, d)                                                             \
    "vmul.f32 s24, s16, " w "\n vmul.f32 s25, s17, " w "\n"                                        \
    "vmul.f32 s26, s18, " w "\n vmul.f32 s27, s19, " w "\n"                                        \
    "vadd.f32 " a ", " a ", s24\n vadd.f32 " b ", " b ", s25\n"                                    \
    "vadd.f32 " c ", " c ", s26\n vadd.f32 " d ", " d ", s27\n"

/* One value of each of four pixels times one weight of each of four channels: s0 to s3 are the
 * sums of the first pixel. */
#define PL_SUMS_STEP                                                                               \
    "vldmia %[x]!, {s16-s19}\n vldmia %[w]!, {s20-s23}\n" PL_SUMS_CHANNEL(                         \
        "s20", "s0", "s4", "s8", "s12") PL_SUMS_CHANNEL("s21", "s1", "s5", "s9", "s13")            \
        PL_SUMS_CHANNEL("s22", "s2", "s6", "s10", "s14")                                           \
            PL_SUMS_CHANNEL("s23", "s3", "s7", "s11", "s15")

#define PL_SUMS_BIAS(a, b, c, d)                                                                   \
    "vadd.f32 " a ", " a ", s20\n vadd.f32 " b ", " b ", s21\n"                                    \
    "vadd.f32 " c ", " c ", s22\n vadd.f32 " d ", " d ", s23\n"

/* s = limit where s is beyond it (mi: below, gt: above); NaN stays. */
#define PL_SUMS_LIMIT(s, limit, beyond)                                                            \
    "vcmpe.f32 " s ", " limit "\n vmrs APSR_nzcv, FPSCR\n"                                         \
    "it " beyond "\n vmov" beyond ".f32 " s ", " limit "\n"
#define PL_SUMS_LIMIT4(a, b, c, d, limit, beyond)                                                  \
    PL_SUMS_LIMIT(a, limit, beyond)                                                                \
    PL_SUMS_LIMIT(b, limit, beyond) PL_SUMS_LIMIT(c, limit, beyond) PL_SUMS_LIMIT(d, limit, beyond)
#define PL_SUMS_LIMIT16(limit, beyond)                                                             \
    PL_SUMS_LIMIT4("s0", "s1", "s2", "s3", limit, beyond)                                          \
    PL_SUMS_LIMIT4("s4", "s5", "s6", "s7", limit, beyond)                                          \
    PL_SUMS_LIMIT4("s8", "s9", "s10", "s11", limit, beyond)                                        \
    PL_SUMS_LIMIT4("s12", "s13", "s14", "s15", limit, beyond)
#endif

/* y[i][c] = clamp(bias[c] + sum over k < n of x[k][i] * w[k][c]), four pixels i, four channels c.
 *
 * x, w  [n][4]; n >= 1; bias [4]; y  pixels are `pitch` elements apart
 * Order of additions: k ascending, from 0; the bias last.
 */
static PL_NOINLINE void pl_sums16_f32(const float *x, const float *w, int32_t n, float *y,
                                      int32_t pitch, const float *bias, float low, float high)
{
#if PL_FPU_ASM
    const int32_t limits = (low > -INFINITY ? 1 : 0) + (high < INFINITY ? 2 : 0);
    const float zero = 0.0f;
    __asm__ volatile(
        "vmov.f32 s0, %[zero]\n vmov.f32 s1, s0\n vmov.f32 s2, s0\n vmov.f32 s3, s0\n"
        "vmov.f32 s4, s0\n vmov.f32 s5, s0\n vmov.f32 s6, s0\n vmov.f32 s7, s0\n"
        "vmov.f32 s8, s0\n vmov.f32 s9, s0\n vmov.f32 s10, s0\n vmov.f32 s11, s0\n"
        "vmov.f32 s12, s0\n vmov.f32 s13, s0\n vmov.f32 s14, s0\n vmov.f32 s15, s0\n"
        "subs %[n], #2\n blt 2f\n"
        "1:\n" PL_SUMS_STEP PL_SUMS_STEP "subs %[n], #2\n bge 1b\n"
        "2: adds %[n], #2\n beq 3f\n" PL_SUMS_STEP "3: vldmia %[bias], {s20-s23}\n"
        PL_SUMS_BIAS("s0", "s1", "s2", "s3") PL_SUMS_BIAS("s4", "s5", "s6", "s7")
        PL_SUMS_BIAS("s8", "s9", "s10", "s11") PL_SUMS_BIAS("s12", "s13", "s14", "s15")
        "tst %[limits], #1\n beq 4f\n" PL_SUMS_LIMIT16("%[low]", "mi")
        "4: tst %[limits], #2\n beq 5f\n" PL_SUMS_LIMIT16("%[high]", "gt")
        "5: vstmia %[y], {s0-s3}\n add %[y], %[y], %[pitch], lsl #2\n vstmia %[y], {s4-s7}\n"
        "add %[y], %[y], %[pitch], lsl #2\n vstmia %[y], {s8-s11}\n"
        "add %[y], %[y], %[pitch], lsl #2\n vstmia %[y], {s12-s15}\n"
        : [x] "+&r"(x), [w] "+&r"(w), [n] "+&r"(n), [y] "+&r"(y)
        : [zero] "t"(zero), [pitch] "r"(pitch), [bias] "r"(bias), [low] "t"(low),
          [high] "t"(high), [limits] "r"(limits)
        : "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "s12",
          "s13", "s14", "s15", "s16", "s17", "s18", "s19", "s20", "s21", "s22", "s23", "s24",
          "s25", "s26", "s27", "cc", "memory");
#else
    float sums[4][4] = {{0.0f}};
    for (; n > 0; n--, x += 4, w += 4) {
        for (int32_t i = 0; i < 4; i++) {
            for (int32_t c = 0; c < 4; c++) {
                sums[i][c] += x[i] * w[c];
            }
        }
    }
    for (int32_t i = 0; i < 4; i++, y += pitch) {
        for (int32_t c = 0; c < 4; c++) {
            y[c] = pl_clamp_f32(sums[i][c] + bias[c], low, high);
        }
    }
#endif
}

/* Four pixels x [n][4] for all output channels. */
static void pl_pixels4_f32(const float *x, const float *w, int32_t n, float *y,
                           const pl_ends_f32 *e)
{
    const int32_t out_c = e->out_c;
    int32_t oc = 0;
    for (; oc + 4 <= out_c; oc += 4, w += 4 * n) {
        pl_sums16_f32(x, w, n, y + oc, out_c, e->bias + oc, e->low, e->high);
    }
    if (oc < out_c) {
        float last[16];
        pl_sums16_f32(x, w, n, last, 4, e->bias + oc, e->low, e->high);
        for (int32_t i = 0; i < 4; i++) {
            memcpy(y + i * out_c + oc, last + 4 * i, (size_t)(out_c - oc) * sizeof *y);
        }
    }
}

/* to[0], to[step], to[2 * step], ... = n values from `from` on. Moved as words, which needs no
 * register of the FPU. */
static PL_INLINE void pl_spread_f32(const float *from, int32_t n, float *to, int32_t step)
{
    uint32_t a, b, c, d;
    for (; n >= 4; n -= 4, from += 4, to += 4 * step) {
        memcpy(&a, from, sizeof a);
        memcpy(&b, from + 1, sizeof b);
        memcpy(&c, from + 2, sizeof c);
        memcpy(&d, from + 3, sizeof d);
        memcpy(to, &a, sizeof a);
        memcpy(to + step, &b, sizeof b);
        memcpy(to + 2 * step, &c, sizeof c);
        memcpy(to + 3 * step, &d, sizeof d);
    }
    for (; n > 0; n--, from++, to += step) {
        memcpy(to, from, sizeof *to);
    }
}
