#pragma once
#include "elementwise_rvv.h"

/* Mean of int8 over all pixels, with vectors of channels.
 *
 *   y[c] = saturate(requantize(offset + sum over all i of x[i][c], multiplier, -right, zero_y))
 *
 * x [pixels][channels], pixels > 0; right >= 1; otherwise as pl_mean_s8
 */
typedef struct {
    int32_t pixels, channels;
    int32_t offset, multiplier, right, zero_y;
} pl_mean_s8__rvv_params;

enum { PL_SUM_RVV = 255 }; /* elements whose sum fits 16 bits */

#if defined(__GNUC__) && defined(__riscv_vector)
static PL_NOINLINE int32_t pl_mean_strip_rvv(const int8_t *x, int8_t *y, int32_t c,
                                             const pl_mean_s8__rvv_params *p)
{
    size_t vl = (size_t)(p->channels - c), pixels = (size_t)p->pixels, left;
    __asm__ volatile(
        "    csrwi   vxrm, 0\n"
        "    vsetvli %[vl], %[vl], e32, m8, ta, mu\n"
        "    vmv.v.x v8, %[offset]\n"
        "1:  mv      %[left], %[most]\n"
        "    bltu    %[left], %[pixels], 2f\n"
        "    mv      %[left], %[pixels]\n"
        "2:  sub     %[pixels], %[pixels], %[left]\n"
        "    vsetvli zero, zero, e16, m4, ta, mu\n"
        "    vmv.v.i v4, 0\n"
        "    vsetvli zero, zero, e8, m2, ta, mu\n"
        "3:  vle8.v  v0, (%[x])\n"
        "    add     %[x], %[x], %[step]\n"
        "    addi    %[left], %[left], -1\n"
        "    vwadd.wv v4, v4, v0\n"
        "    bnez    %[left], 3b\n"
        "    vsetvli zero, zero, e16, m4, ta, mu\n"
        "    vwadd.wv v8, v8, v4\n"
        "    bnez    %[pixels], 1b\n"
        "    vsetvli zero, zero, e32, m8, ta, mu\n"
        "    vsmul.vx v8, v8, %[multiplier]\n"
        PL_ROUND_RVV("v8", "v16", "%[right]") PL_STORE_LANES_RVV
        : [vl] "+&r"(vl), [pixels] "+&r"(pixels), [x] "+&r"(x), [left] "=&r"(left)
        : [offset] "r"(p->offset), [most] "r"((size_t)PL_SUM_RVV), [step] "r"((size_t)p->channels),
          [multiplier] "r"(p->multiplier), [right] "r"(p->right), [zero_y] "r"(p->zero_y),
          [low] "r"(INT8_MIN), [high] "r"(INT8_MAX), [y] "r"(y)
        : PL_VECTORS);
    return (int32_t)vl;
}
#else
/* Channels from channel c on, as many as a vector takes; returns how many. x: channel c. */
static int32_t pl_mean_strip_rvv(const int8_t *x, int8_t *y, int32_t c,
                                 const pl_mean_s8__rvv_params *p)
{
    const int32_t n = pl_lanes_rvv(p->channels - c);
    for (int32_t j = 0; j < n; j++) {
        int32_t sum = p->offset;
        for (int32_t i = 0; i < p->pixels; i++) {
            sum += x[i * p->channels + j];
        }
        const int32_t mean = pl_requantize(sum, p->multiplier, -p->right, p->zero_y);
        y[j] = (int8_t)pl_clamp(mean, INT8_MIN, INT8_MAX);
    }
    return n;
}
#endif

static void pl_mean_s8__rvv(const int8_t *x, int8_t *y, const pl_mean_s8__rvv_params *p)
{
    for (int32_t c = 0; c < p->channels;) {
        c += pl_mean_strip_rvv(x + c, y + c, c, p);
    }
}
