#pragma once
#include "common_rvv.h"

/* Any function of one byte: y[i] = table[x[i]], n > 0 elements. Contract as pl_lookup. */
#if defined(__GNUC__) && defined(__riscv_vector)
static void pl_lookup__rvv(const uint8_t *x, uint8_t *y, int32_t n, const uint8_t *table)
{
    size_t left = (size_t)n, vl;
    __asm__ volatile("1:  vsetvli %[vl], %[left], e8, m8, ta, ma\n"
                     "    vle8.v  v0, (%[x])\n"
                     "    sub     %[left], %[left], %[vl]\n"
                     "    add     %[x], %[x], %[vl]\n"
                     "    vluxei8.v v8, (%[table]), v0\n"
                     "    vse8.v  v8, (%[y])\n"
                     "    add     %[y], %[y], %[vl]\n"
                     "    bnez    %[left], 1b\n"
                     : [left] "+&r"(left), [vl] "=&r"(vl), [x] "+&r"(x), [y] "+&r"(y)
                     : [table] "r"(table)
                     : PL_VECTORS);
}
#else
static void pl_lookup__rvv(const uint8_t *x, uint8_t *y, int32_t n, const uint8_t *table)
{
    for (; n > 0; n--) {
        *y++ = table[*x++];
    }
}
#endif
