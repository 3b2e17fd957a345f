#pragma once
#include "../portable/elementwise.h"
#include "common_mve.h"

/* Sum or difference of int8 tensors with broadcasting between runs.
 *
 * Formula and walk as pl_add_s8, for operands that advance along a run. One operand (exact) has the
 * larger scale, so its part is exactly a shift; the other (scaled) is rescaled:
 *
 *   y = clamp(requantize(e * exact_factor + exact_offset
 *             + sign * requantize(s * scaled_factor + scaled_offset, ...), ...), low, high)
 *
 * exact_factor is 2^19 or -2^19, scaled_factor 2^20 or 2^21, the offsets hold the zero points. Both
 * shifts are below 0.
 * Aliasing: y may be an operand that is not broadcast. No scratch. Bounds: as pl_add_s8.
 */
typedef struct {
    int32_t runs, n, outer_dims;
    const int32_t *outer; /* [outer_dims][3]: count, step of exact, step of scaled */
    int32_t exact_factor, scaled_factor;
    /* In the order in which the assembly loads them. */
    int32_t exact_offset, scaled_offset, scaled_multiplier, scaled_shift;
    int32_t sign, zero_y, multiplier_y, shift_y;
    int32_t low, high;
} pl_add_s8__mve_params;

static PL_NOINLINE void pl_add_s8__mve_run(const int8_t *e, const int8_t *s, int8_t *y, int32_t n,
                                           const pl_add_s8__mve_params *p)
{
#ifdef PL_MVE
    const int32x4_t exact = vdupq_n_s32(p->exact_factor), scaled = vdupq_n_s32(p->scaled_factor);
    const int32x4_t low = vdupq_n_s32(p->low), high = vdupq_n_s32(p->high);
    register const int32_t *scalars __asm__("lr") = &p->exact_offset;
    register const int8_t *from __asm__("r1") = e, *other __asm__("r3") = s;
    register int8_t *to __asm__("r5") = y;
    register int32_t count __asm__("r11") = n;
    __asm__ volatile("ldm lr, {r0, r2, r4, r6, r8, r9, r10, r12}\n\t"
                     "dlstp.32 lr, r11\n"
                     "1:\n\t"
                     "vldrb.s32 q1, [r3], #4\n\t"
                     "vmlas.s32 q1, %q[scaled], r2\n\t"
                     "vqrdmulh.s32 q1, q1, r4\n\t"
                     "vldrb.s32 q0, [r1], #4\n\t"
                     "vshr.s32 q2, q1, #31\n\t"
                     "vmlas.s32 q0, %q[exact], r0\n\t"
                     "vadd.i32 q1, q1, q2\n\t"
                     "vrshl.s32 q1, r6\n\t"
                     "vmla.s32 q0, q1, r8\n\t"
                     "vqrdmulh.s32 q0, q0, r10\n\t"
                     "vshr.s32 q2, q0, #31\n\t"
                     "vadd.i32 q0, q0, q2\n\t"
                     "vrshl.s32 q0, r12\n\t"
                     "vadd.i32 q0, q0, r9\n\t"
                     "vmax.s32 q0, q0, %q[low]\n\t"
                     "vmin.s32 q0, q0, %q[high]\n\t"
                     "vstrb.32 q0, [r5], #4\n\t"
                     "letp lr, 1b"
                     : "+&r"(from), "+&r"(other), "+&r"(to), "+&r"(scalars)
                     : "r"(count), [exact] "w"(exact), [scaled] "w"(scaled), [low] "w"(low),
                       [high] "w"(high)
                     : "r0", "r2", "r4", "r6", "r8", "r9", "r10", "r12", "q0", "q1", "q2", "memory");
#else
    for (int32_t i = 0; i < n; i++) {
        const int32_t part = s[i] * p->scaled_factor + p->scaled_offset;
        const int32_t scaled = pl_requantize(part, p->scaled_multiplier, p->scaled_shift, 0);
        const int32_t sum = e[i] * p->exact_factor + p->exact_offset + p->sign * scaled;
        const int32_t v = pl_requantize(sum, p->multiplier_y, p->shift_y, p->zero_y);
        y[i] = (int8_t)pl_clamp(v, p->low, p->high);
    }
#endif
}

static void pl_add_s8__mve(const int8_t *exact, const int8_t *scaled, int8_t *y,
                           const pl_add_s8__mve_params *p)
{
    for (int32_t run = 0; run < p->runs; run++, y += p->n) {
        int32_t e = 0, s = 0;
        pl_broadcast(p->outer, p->outer_dims, run, &e, &s);
        pl_add_s8__mve_run(exact + e, scaled + s, y, p->n, p);
    }
}
