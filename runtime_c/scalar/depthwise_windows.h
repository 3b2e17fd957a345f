#pragma once
#include "common_scalar.h"

/* Windows of a depthwise convolution over one channel of a copied tile: row r of column i of the
 * tile lies at x[i * pitch + r * PL_LANES]. Four output rows are computed at a time, so rows lie
 * at constant distances. Weights are [kernel_w][kernel_h].
 */
enum { PL_LANES = 8 };

/* acc[j] = window of output row j. */
static PL_INLINE void pl_window_any_4(const int8_t *x, int32_t tap, const int8_t *w,
                                      int32_t kernel_h, int32_t kernel_w, int32_t stride_h,
                                      int32_t acc[4])
{
    const int32_t apart = stride_h * PL_LANES;
    int32_t a0 = 0, a1 = 0, a2 = 0, a3 = 0;
    for (; kernel_w > 0; kernel_w--, x += tap) {
        const int8_t *x0 = x, *x1 = x0 + apart, *x2 = x1 + apart, *x3 = x2 + apart;
        for (const int8_t *end = w + kernel_h; w != end;) {
            const int32_t v = *w++;
            a0 += *x0 * v;
            a1 += *x1 * v;
            a2 += *x2 * v;
            a3 += *x3 * v;
            x0 += PL_LANES;
            x1 += PL_LANES;
            x2 += PL_LANES;
            x3 += PL_LANES;
        }
    }
    acc[0] = a0;
    acc[1] = a1;
    acc[2] = a2;
    acc[3] = a3;
}

#if defined(__GNUC__) && defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB >= 2
/* In C, compilers run out of registers. Loads stand side by side, as that makes them one cycle
 * each.
 */
static PL_INLINE void pl_window_3x3_s1(const int8_t *x, int32_t pitch, const int8_t *w,
                                       int32_t acc[4])
{
    int32_t a0 = 0, a1 = 0, a2 = 0, a3 = 0, w0, w1, w2, x0, x1, x2;
    __asm__(PL_3_TIMES(
            "    ldrsb  %[w0], [%[w]], #1\n"
            "    ldrsb  %[w1], [%[w]], #1\n"
            "    ldrsb  %[w2], [%[w]], #1\n"
            "    ldrsb  %[x0], [%[x], #0]\n"
            "    ldrsb  %[x1], [%[x], #8]\n"
            "    ldrsb  %[x2], [%[x], #16]\n"
            "    mla    %[a0], %[x0], %[w0], %[a0]\n"
            "    mla    %[a0], %[x1], %[w1], %[a0]\n"
            "    mla    %[a0], %[x2], %[w2], %[a0]\n"
            "    mla    %[a1], %[x1], %[w0], %[a1]\n"
            "    mla    %[a1], %[x2], %[w1], %[a1]\n"
            "    mla    %[a2], %[x2], %[w0], %[a2]\n"
            "    ldrsb  %[x0], [%[x], #24]\n"
            "    ldrsb  %[x1], [%[x], #32]\n"
            "    ldrsb  %[x2], [%[x], #40]\n"
            "    mla    %[a1], %[x0], %[w2], %[a1]\n"
            "    mla    %[a2], %[x0], %[w1], %[a2]\n"
            "    mla    %[a2], %[x1], %[w2], %[a2]\n"
            "    mla    %[a3], %[x0], %[w0], %[a3]\n"
            "    mla    %[a3], %[x1], %[w1], %[a3]\n"
            "    mla    %[a3], %[x2], %[w2], %[a3]\n"
            "    add    %[x], %[x], %[pitch]\n")
            : [a0] "+r"(a0), [a1] "+r"(a1), [a2] "+r"(a2), [a3] "+r"(a3), [x] "+r"(x), [w] "+r"(w),
              [w0] "=&r"(w0), [w1] "=&r"(w1), [w2] "=&r"(w2), [x0] "=&r"(x0), [x1] "=&r"(x1),
              [x2] "=&r"(x2)
            : [pitch] "r"(pitch)
            : "memory");
    acc[0] = a0;
    acc[1] = a1;
    acc[2] = a2;
    acc[3] = a3;
}

static PL_INLINE void pl_window_3x3_s2(const int8_t *x, int32_t pitch, const int8_t *w,
                                       int32_t acc[4])
{
    int32_t a0 = 0, a1 = 0, a2 = 0, a3 = 0, w0, w1, w2, x0, x1, x2;
    __asm__(PL_3_TIMES(
            "    ldrsb  %[w0], [%[w]], #1\n"
            "    ldrsb  %[w1], [%[w]], #1\n"
            "    ldrsb  %[w2], [%[w]], #1\n"
            "    ldrsb  %[x0], [%[x], #0]\n"
            "    ldrsb  %[x1], [%[x], #8]\n"
            "    ldrsb  %[x2], [%[x], #16]\n"
            "    mla    %[a0], %[x0], %[w0], %[a0]\n"
            "    mla    %[a0], %[x1], %[w1], %[a0]\n"
            "    mla    %[a0], %[x2], %[w2], %[a0]\n"
            "    mla    %[a1], %[x2], %[w0], %[a1]\n"
            "    ldrsb  %[x0], [%[x], #24]\n"
            "    ldrsb  %[x1], [%[x], #32]\n"
            "    ldrsb  %[x2], [%[x], #40]\n"
            "    mla    %[a1], %[x0], %[w1], %[a1]\n"
            "    mla    %[a1], %[x1], %[w2], %[a1]\n"
            "    mla    %[a2], %[x1], %[w0], %[a2]\n"
            "    mla    %[a2], %[x2], %[w1], %[a2]\n"
            "    ldrsb  %[x0], [%[x], #48]\n"
            "    ldrsb  %[x1], [%[x], #56]\n"
            "    ldrsb  %[x2], [%[x], #64]\n"
            "    mla    %[a2], %[x0], %[w2], %[a2]\n"
            "    mla    %[a3], %[x0], %[w0], %[a3]\n"
            "    mla    %[a3], %[x1], %[w1], %[a3]\n"
            "    mla    %[a3], %[x2], %[w2], %[a3]\n"
            "    add    %[x], %[x], %[pitch]\n")
            : [a0] "+r"(a0), [a1] "+r"(a1), [a2] "+r"(a2), [a3] "+r"(a3), [x] "+r"(x), [w] "+r"(w),
              [w0] "=&r"(w0), [w1] "=&r"(w1), [w2] "=&r"(w2), [x0] "=&r"(x0), [x1] "=&r"(x1),
              [x2] "=&r"(x2)
            : [pitch] "r"(pitch)
            : "memory");
    acc[0] = a0;
    acc[1] = a1;
    acc[2] = a2;
    acc[3] = a3;
}
#else
/* Windows of three rows and three adjacent columns at a vertical stride of s, a constant. */
static PL_INLINE void pl_window_3x3(const int8_t *x, int32_t pitch, const int8_t *w, int32_t s,
                                    int32_t acc[4])
{
    const int32_t l = PL_LANES;
    int32_t a0 = 0, a1 = 0, a2 = 0, a3 = 0;
    for (const int8_t *end = w + 9; w != end; w += 3, x += pitch) {
        const int32_t w0 = w[0], w1 = w[1], w2 = w[2];
        a0 += x[0] * w0 + x[l] * w1 + x[2 * l] * w2;
        a1 += x[s * l] * w0 + x[(s + 1) * l] * w1 + x[(s + 2) * l] * w2;
        a2 += x[2 * s * l] * w0 + x[(2 * s + 1) * l] * w1 + x[(2 * s + 2) * l] * w2;
        a3 += x[3 * s * l] * w0 + x[(3 * s + 1) * l] * w1 + x[(3 * s + 2) * l] * w2;
    }
    acc[0] = a0;
    acc[1] = a1;
    acc[2] = a2;
    acc[3] = a3;
}

static PL_INLINE void pl_window_3x3_s1(const int8_t *x, int32_t pitch, const int8_t *w,
                                       int32_t acc[4])
{
    pl_window_3x3(x, pitch, w, 1, acc);
}

static PL_INLINE void pl_window_3x3_s2(const int8_t *x, int32_t pitch, const int8_t *w,
                                       int32_t acc[4])
{
    pl_window_3x3(x, pitch, w, 2, acc);
}
#endif
