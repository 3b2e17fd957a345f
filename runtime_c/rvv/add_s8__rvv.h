#pragma once
#include "elementwise_rvv.h"

/* Sum or difference of int8 tensors with broadcasting between runs.
 *
 *   y = clamp(requantize(part(a) + sign * part(b), multiplier_y, -right_y, zero_y), low, high)
 *   part(a) = requantize((a - zero_a) << left_a, multiplier_a, -right_a)
 *
 * All shifts to the right are at least 1: a factor of exactly 1/2, which pl_add_s8 knows as no
 * shift, is the double of the operand shifted by 1.
 * Aliasing: y may be an operand that is not broadcast. No scratch. Bounds: as pl_add_s8.
 */
typedef struct {
    pl_runs_rvv walk;
    int32_t zero_a, left_a, multiplier_a, right_a;
    int32_t zero_b, left_b, multiplier_b, right_b, sign;
    int32_t zero_y, multiplier_y, right_y, low, high;
} pl_add_s8__rvv_params;

#if defined(__GNUC__) && defined(__riscv_vector)
/* Part of an operand called `o` in v, of whose registers `byte` are the last quarter. */
#define PL_PART_RVV(v, byte, o)                                                                    \
    "    vle8.v  " byte ", (%[" o "])\n"                                                           \
    "    vsext.vf4 " v ", " byte "\n"                                                              \
    "    vsub.vx " v ", " v ", %[zero_" o "]\n"                                                    \
    "    vsll.vx " v ", " v ", %[left_" o "]\n"                                                    \
    "    vsmul.vx " v ", " v ", %[multiplier_" o "]\n" PL_ROUND_RVV(v, "v24", "%[right_" o "]")

static PL_NOINLINE void pl_add_run_rvv(const int8_t *a, const int8_t *b, int8_t *y, int32_t n,
                                       const pl_add_s8__rvv_params *p)
{
    const int8_t *end = y + n;
    size_t left, vl;
    __asm__ volatile(
        "    csrwi   vxrm, 0\n"
        "1:  sub     %[left], %[end], %[y]\n"
        "    vsetvli %[vl], %[left], e32, m8, ta, mu\n"
        PL_PART_RVV("v8", "v14", "a") PL_PART_RVV("v16", "v22", "b")
        "    vmacc.vx v8, %[sign], v16\n"
        "    vsmul.vx v8, v8, %[multiplier_y]\n" PL_ROUND_RVV("v8", "v24", "%[right_y]")
        "    add     %[a], %[a], %[vl]\n"
        "    add     %[b], %[b], %[vl]\n" PL_STORE_LANES_RVV
        "    add     %[y], %[y], %[vl]\n"
        "    bne     %[y], %[end], 1b\n"
        : [a] "+&r"(a), [b] "+&r"(b), [y] "+&r"(y), [left] "=&r"(left), [vl] "=&r"(vl)
        : [end] "r"(end), [zero_a] "r"(p->zero_a), [left_a] "r"(p->left_a),
          [multiplier_a] "r"(p->multiplier_a), [right_a] "r"(p->right_a), [zero_b] "r"(p->zero_b),
          [left_b] "r"(p->left_b), [multiplier_b] "r"(p->multiplier_b), [right_b] "r"(p->right_b),
          [sign] "r"(p->sign), [zero_y] "r"(p->zero_y), [multiplier_y] "r"(p->multiplier_y),
          [right_y] "r"(p->right_y), [low] "r"(p->low), [high] "r"(p->high)
        : PL_VECTORS);
}
#else
/* n > 0 elements. */
static void pl_add_run_rvv(const int8_t *a, const int8_t *b, int8_t *y, int32_t n,
                           const pl_add_s8__rvv_params *p)
{
    for (int32_t i = 0; i < n; i++) {
        const int32_t xa = (a[i] - p->zero_a) * (1 << p->left_a);
        const int32_t xb = (b[i] - p->zero_b) * (1 << p->left_b);
        const int32_t part_a = pl_requantize(xa, p->multiplier_a, -p->right_a, 0);
        const int32_t part_b = pl_requantize(xb, p->multiplier_b, -p->right_b, 0);
        const int32_t sum = part_a + p->sign * part_b;
        const int32_t v = pl_requantize(sum, p->multiplier_y, -p->right_y, p->zero_y);
        y[i] = (int8_t)pl_clamp(v, p->low, p->high);
    }
}
#endif

static void pl_add_s8__rvv(const int8_t *a, const int8_t *b, int8_t *y,
                           const pl_add_s8__rvv_params *p)
{
    for (int32_t run = 0; run < p->walk.runs; run++, y += p->walk.n) {
        int32_t ia = 0, ib = 0;
        pl_broadcast(p->walk.outer, p->walk.outer_dims, run, &ia, &ib);
        pl_add_run_rvv(a + ia, b + ib, y, p->walk.n, p);
    }
}
