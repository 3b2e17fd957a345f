#pragma once
#include "../portable/elementwise.h"
#include "common_mve.h"

/* Product of int8 tensors with broadcasting between runs.
 *
 * Formula and walk as pl_mul_s8, for operands that advance along a run; shift is below 0.
 * Aliasing: y may be an operand that is not broadcast. No scratch. Bounds: as pl_mul_s8.
 */
typedef struct {
    int32_t runs, n, outer_dims;
    const int32_t *outer; /* [outer_dims][3] */
    int32_t zero_a, zero_b, zero_y, multiplier, shift, low, high;
} pl_mul_s8__mve_params;

static PL_NOINLINE void pl_mul_s8__mve_run(const int8_t *a, const int8_t *b, int8_t *y, int32_t n,
                                           const pl_mul_s8__mve_params *p)
{
#ifdef PL_MVE
    const int32x4_t low = vdupq_n_s32(p->low), high = vdupq_n_s32(p->high);
    __asm__ volatile("dlstp.32 lr, %[n]\n"
                     "1:\n\t"
                     "vldrb.s32 q0, [%[a]], #4\n\t"
                     "vadd.i32 q0, q0, %[za]\n\t"
                     "vldrb.s32 q1, [%[b]], #4\n\t"
                     "vadd.i32 q1, q1, %[zb]\n\t"
                     "vmul.i32 q0, q0, q1\n\t"
                     "vqrdmulh.s32 q0, q0, %[m]\n\t"
                     "vshr.s32 q1, q0, #31\n\t"
                     "vadd.i32 q0, q0, q1\n\t"
                     "vrshl.s32 q0, %[s]\n\t"
                     "vadd.i32 q0, q0, %[zy]\n\t"
                     "vmax.s32 q0, q0, %q[low]\n\t"
                     "vmin.s32 q0, q0, %q[high]\n\t"
                     "vstrb.32 q0, [%[y]], #4\n\t"
                     "letp lr, 1b"
                     : [a] "+&l"(a), [b] "+&l"(b), [y] "+&l"(y)
                     : [n] "r"(n), [za] "r"(-p->zero_a), [zb] "r"(-p->zero_b), [m] "r"(p->multiplier),
                       [s] "r"(p->shift), [zy] "r"(p->zero_y), [low] "w"(low), [high] "w"(high)
                     : "lr", "q0", "q1", "memory");
#else
    for (int32_t i = 0; i < n; i++) {
        const int32_t product = (a[i] - p->zero_a) * (b[i] - p->zero_b);
        const int32_t v = pl_rescale(product, p->multiplier, p->shift) + p->zero_y;
        y[i] = (int8_t)pl_clamp(v, p->low, p->high);
    }
#endif
}

static void pl_mul_s8__mve(const int8_t *a, const int8_t *b, int8_t *y,
                           const pl_mul_s8__mve_params *p)
{
    for (int32_t run = 0; run < p->runs; run++, y += p->n) {
        int32_t ia = 0, ib = 0;
        pl_broadcast(p->outer, p->outer_dims, run, &ia, &ib);
        pl_mul_s8__mve_run(a + ia, b + ib, y, p->n, p);
    }
}
