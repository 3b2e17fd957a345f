#pragma once
#include "../portable/clamp_f32.h"
#include "../portable/common.h"

/* Matrix products of float in registers: one pixel, or four, times four output channels.
 *
 * Each sum adds its products one by one in the order of the weights, from 0, as the portable
 * kernels do, so results are the same bit by bit. Products and sums are rounded apart: on a
 * Cortex-M4 VMUL and VADD take one cycle each, VMLA and VFMA three.
 */
#if defined(__GNUC__) && defined(__thumb2__) && defined(__ARM_FP)
#define PL_FPU_ASM 1
#else
#define PL_FPU_ASM 0
#endif

/* What becomes of sums: y[oc] = clamp(sum + bias[oc], low, high). */
typedef struct {
    int32_t out_c;
    float low, high;
    const float *bias; /* [out_c], zeros behind it up to a multiple of 4 */
} pl_ends_f32;

/* sums[c] += sum over k < n of x[k] * w[k][c] for four channels c, k ascending. */
static PL_NOINLINE void pl_sums4_f32(const float *x, const float *w, int32_t n, float sums[4])
{
    float a = sums[0], b = sums[1], c = sums[2], d = sums[3];
#if PL_FPU_ASM
    /* Two values (the first of them x) times the weights of four channels each, s4 to s11. */
#define PL_SUMS_TWO(first, second)                                                                 \
    "vldmia %[w]!, {s4-s11}\n"                                                                     \
    "vmul.f32 s4, s4, " first "\n vmul.f32 s5, s5, " first "\n"                                    \
    "vmul.f32 s6, s6, " first "\n vmul.f32 s7, s7, " first "\n"                                    \
    "vadd.f32 %[a], %[a], s4\n vadd.f32 %[b], %[b], s5\n"                                          \
    "vadd.f32 %[c], %[c], s6\n vadd.f32 %[d], %[d], s7\n"                                          \
    "vmul.f32 s8, s8, " second "\n vmul.f32 s9, s9, " second "\n"                                  \
    "vmul.f32 s10, s10, " second "\n vmul.f32 s11, s11, " second "\n"                              \
    "vadd.f32 %[a], %[a], s8\n vadd.f32 %[b], %[b], s9\n"                                          \
    "vadd.f32 %[c], %[c], s10\n vadd.f32 %[d], %[d], s11\n"
    int32_t fours = n >> 2;
    n &= 3;
    if (fours) {
        __asm__ volatile(
            "1: vldmia %[x]!, {s12-s15}\n" PL_SUMS_TWO("s12", "s13") PL_SUMS_TWO("s14", "s15")
            "subs %[n], #1\n bne 1b\n"
            : [x] "+r"(x), [w] "+r"(w), [n] "+r"(fours), [a] "+t"(a), [b] "+t"(b), [c] "+t"(c),
              [d] "+t"(d)
            :
            : "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "s12", "s13", "s14", "s15", "cc",
              "memory");
    }
#endif
    for (; n > 0; n--, x++, w += 4) {
        a += *x * w[0];
        b += *x * w[1];
        c += *x * w[2];
        d += *x * w[3];
    }
    sums[0] = a;
    sums[1] = b;
    sums[2] = c;
    sums[3] = d;
}

/* Outputs of channels oc to oc + 3, as far as there are so many, of a pixel y [out_c]. */
static void pl_store4_f32(const float sums[4], float *y, int32_t oc, const pl_ends_f32 *e)
{
    const float low = e->low, high = e->high, *bias = e->bias + oc;
    const int32_t left = e->out_c - oc;
    y[oc] = pl_clamp_f32(sums[0] + bias[0], low, high);
    if (left > 1) {
        y[oc + 1] = pl_clamp_f32(sums[1] + bias[1], low, high);
    }
    if (left > 2) {
        y[oc + 2] = pl_clamp_f32(sums[2] + bias[2], low, high);
    }
    if (left > 3) {
        y[oc + 3] = pl_clamp_f32(sums[3] + bias[3], low, high);
    }
}

/* One pixel x [n] for all output channels; weights [ceil(out_c / 4)][n][4]. */
static inline void pl_pixel_f32(const float *x, const float *w, int32_t n, float *y,
                                const pl_ends_f32 *e)
{
    for (int32_t oc = 0; oc < e->out_c; oc += 4, w += 4 * n) {
        float sums[4] = {0.0f, 0.0f, 0.0f, 0.0f};
        pl_sums4_f32(x, w, n, sums);
        pl_store4_f32(sums, y, oc, e);
    }
}
