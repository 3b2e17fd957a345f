#pragma once
#include "elementwise_rvv.h"

/* Product of int8 tensors with broadcasting between runs.
 *
 *   y = clamp(requantize((a - zero_a) * (b - zero_b), multiplier, -right, zero_y), low, high)
 *
 * right is at least 1.
 * Aliasing: y may be an operand that is not broadcast. No scratch. Bounds: |product| < 2^16.
 */
typedef struct {
    pl_runs_rvv walk;
    int32_t zero_a, zero_b, zero_y, multiplier, right, low, high;
} pl_mul_s8__rvv_params;

#if defined(__GNUC__) && defined(__riscv_vector)
static PL_NOINLINE void pl_mul_run_rvv(const int8_t *a, const int8_t *b, int8_t *y, int32_t n,
                                       const pl_mul_s8__rvv_params *p)
{
    const int8_t *end = y + n;
    size_t left, vl;
    __asm__ volatile(
        "    csrwi   vxrm, 0\n"
        "1:  sub     %[left], %[end], %[y]\n"
        "    vsetvli %[vl], %[left], e16, m4, ta, mu\n"
        "    vle8.v  v2, (%[a])\n"
        "    vle8.v  v6, (%[b])\n"
        "    vsext.vf2 v0, v2\n"
        "    vsext.vf2 v4, v6\n"
        "    vsub.vx v0, v0, %[zero_a]\n"
        "    vsub.vx v4, v4, %[zero_b]\n"
        "    vwmul.vv v8, v0, v4\n"
        "    vsetvli zero, zero, e32, m8, ta, mu\n"
        "    vsmul.vx v8, v8, %[multiplier]\n" PL_ROUND_RVV("v8", "v16", "%[right]")
        "    add     %[a], %[a], %[vl]\n"
        "    add     %[b], %[b], %[vl]\n" PL_STORE_LANES_RVV
        "    add     %[y], %[y], %[vl]\n"
        "    bne     %[y], %[end], 1b\n"
        : [a] "+&r"(a), [b] "+&r"(b), [y] "+&r"(y), [left] "=&r"(left), [vl] "=&r"(vl)
        : [end] "r"(end), [zero_a] "r"(p->zero_a), [zero_b] "r"(p->zero_b), [zero_y] "r"(p->zero_y),
          [multiplier] "r"(p->multiplier), [right] "r"(p->right), [low] "r"(p->low),
          [high] "r"(p->high)
        : PL_VECTORS);
}
#else
/* n > 0 elements. */
static void pl_mul_run_rvv(const int8_t *a, const int8_t *b, int8_t *y, int32_t n,
                           const pl_mul_s8__rvv_params *p)
{
    for (int32_t i = 0; i < n; i++) {
        const int32_t product = (a[i] - p->zero_a) * (b[i] - p->zero_b);
        const int32_t v = pl_requantize(product, p->multiplier, -p->right, p->zero_y);
        y[i] = (int8_t)pl_clamp(v, p->low, p->high);
    }
}
#endif

static void pl_mul_s8__rvv(const int8_t *a, const int8_t *b, int8_t *y,
                           const pl_mul_s8__rvv_params *p)
{
    for (int32_t run = 0; run < p->walk.runs; run++, y += p->walk.n) {
        int32_t ia = 0, ib = 0;
        pl_broadcast(p->walk.outer, p->walk.outer_dims, run, &ia, &ib);
        pl_mul_run_rvv(a + ia, b + ib, y, p->walk.n, p);
    }
}
