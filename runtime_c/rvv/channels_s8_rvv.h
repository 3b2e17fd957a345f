#pragma once
#include "common_rvv.h"

/* Dot products with vectors of output channels: an activation times the weights of many channels at
 * once. */

enum { PL_PIXELS_RVV = 3 }; /* pixels at a time, whose accumulators fill 24 vector registers */

/* Weights of all output channels, [k][out_c]. */
typedef struct {
    int32_t k, out_c;
    pl_scales_rvv channels;
    const int8_t *weights;
} pl_channels_rvv;

#if defined(__GNUC__) && defined(__riscv_vector)
/* 16-bit weights times a scalar are added to 32-bit accumulators by one instruction. The weights'
 * bytes are widened once for all pixels. */
static PL_NOINLINE int32_t pl_dot3_s8__rvv(const int8_t *x, int8_t *y, int32_t c,
                                           const pl_channels_rvv *p)
{
    const int8_t *x0 = x, *x1 = x0 + p->k, *x2 = x1 + p->k, *w = p->weights + c;
    const int32_t *bias = p->channels.bias + c, *multiplier = p->channels.multiplier + c;
    const size_t step = (size_t)p->out_c;
    size_t vl = (size_t)(p->out_c - c), fours = (size_t)p->k >> 2, ones = (size_t)p->k & 3;
    size_t t0, t1, t2;
    __asm__ volatile(
        "    csrwi   vxrm, 0\n"
        "    vsetvli %[vl], %[vl], e32, m8, ta, mu\n"
        "    vle32.v v0, (%[bias])\n"
        "    vmv8r.v v8, v0\n"
        "    vmv8r.v v16, v0\n"
        "    vsetvli zero, zero, e16, m4, ta, mu\n"
        "    beqz    %[fours], 2f\n"
        "1:\n"
        "    .irp    i, 0, 1, 2, 3\n"
        "    vle8.v  v28, (%[w])\n"
        "    add     %[w], %[w], %[step]\n"
        "    lb      %[t0], \\i(%[x0])\n"
        "    lb      %[t1], \\i(%[x1])\n"
        "    lb      %[t2], \\i(%[x2])\n"
        "    vsext.vf2 v24, v28\n"
        "    vwmacc.vx v0, %[t0], v24\n"
        "    vwmacc.vx v8, %[t1], v24\n"
        "    vwmacc.vx v16, %[t2], v24\n"
        "    .endr\n"
        "    addi    %[x0], %[x0], 4\n"
        "    addi    %[x1], %[x1], 4\n"
        "    addi    %[x2], %[x2], 4\n"
        "    addi    %[fours], %[fours], -1\n"
        "    bnez    %[fours], 1b\n"
        "2:  beqz    %[ones], 4f\n"
        "3:  vle8.v  v28, (%[w])\n"
        "    add     %[w], %[w], %[step]\n"
        "    lb      %[t0], 0(%[x0])\n"
        "    lb      %[t1], 0(%[x1])\n"
        "    lb      %[t2], 0(%[x2])\n"
        "    vsext.vf2 v24, v28\n"
        "    vwmacc.vx v0, %[t0], v24\n"
        "    vwmacc.vx v8, %[t1], v24\n"
        "    vwmacc.vx v16, %[t2], v24\n"
        "    addi    %[x0], %[x0], 1\n"
        "    addi    %[x1], %[x1], 1\n"
        "    addi    %[x2], %[x2], 1\n"
        "    addi    %[ones], %[ones], -1\n"
        "    bnez    %[ones], 3b\n"
        "4:\n" PL_STORE3_RVV
        : [vl] "+&r"(vl), [fours] "+&r"(fours), [ones] "+&r"(ones), [w] "+&r"(w), [x0] "+&r"(x0),
          [x1] "+&r"(x1), [x2] "+&r"(x2), [y] "+&r"(y), [t0] "=&r"(t0), [t1] "=&r"(t1),
          [t2] "=&r"(t2)
        : [bias] "r"(bias), [multiplier] "r"(multiplier), [shift] "r"(p->channels.shift + c),
          [zero_point] "r"(p->channels.zero_point), [low] "r"(p->channels.low),
          [high] "r"(p->channels.high), [step] "r"(step), [y_step] "r"(step)
        : PL_VECTORS);
    return (int32_t)vl;
}

/* The same for one pixel. */
static PL_NOINLINE int32_t pl_dot1_s8__rvv(const int8_t *x, int8_t *y, int32_t c,
                                           const pl_channels_rvv *p)
{
    const int8_t *w = p->weights + c;
    const int32_t *bias = p->channels.bias + c, *multiplier = p->channels.multiplier + c;
    const size_t step = (size_t)p->out_c;
    size_t vl = (size_t)(p->out_c - c), fours = (size_t)p->k >> 2, ones = (size_t)p->k & 3, t0;
    __asm__ volatile(
        "    csrwi   vxrm, 0\n"
        "    vsetvli %[vl], %[vl], e32, m8, ta, mu\n"
        "    vle32.v v8, (%[bias])\n"
        "    vsetvli zero, zero, e16, m4, ta, mu\n"
        "    beqz    %[fours], 2f\n"
        "1:\n"
        "    .irp    i, 0, 1, 2, 3\n"
        "    vle8.v  v28, (%[w])\n"
        "    add     %[w], %[w], %[step]\n"
        "    lb      %[t0], \\i(%[x])\n"
        "    vsext.vf2 v24, v28\n"
        "    vwmacc.vx v8, %[t0], v24\n"
        "    .endr\n"
        "    addi    %[x], %[x], 4\n"
        "    addi    %[fours], %[fours], -1\n"
        "    bnez    %[fours], 1b\n"
        "2:  beqz    %[ones], 4f\n"
        "3:  vle8.v  v28, (%[w])\n"
        "    add     %[w], %[w], %[step]\n"
        "    lb      %[t0], 0(%[x])\n"
        "    vsext.vf2 v24, v28\n"
        "    vwmacc.vx v8, %[t0], v24\n"
        "    addi    %[x], %[x], 1\n"
        "    addi    %[ones], %[ones], -1\n"
        "    bnez    %[ones], 3b\n"
        "4:\n" PL_STORE1_RVV
        : [vl] "+&r"(vl), [fours] "+&r"(fours), [ones] "+&r"(ones), [w] "+&r"(w), [x] "+&r"(x),
          [t0] "=&r"(t0)
        : [bias] "r"(bias), [multiplier] "r"(multiplier), [shift] "r"(p->channels.shift + c),
          [zero_point] "r"(p->channels.zero_point), [low] "r"(p->channels.low),
          [high] "r"(p->channels.high), [right_only] "r"((size_t)p->channels.right_only),
          [y] "r"(y), [step] "r"(step)
        : PL_VECTORS);
    return (int32_t)vl;
}
#else
/* Output channels of one pixel from channel c on, as many as a vector has lanes for; returns how
 * many they are. x [k], y [lanes]. */
static int32_t pl_dot1_s8__rvv(const int8_t *x, int8_t *y, int32_t c, const pl_channels_rvv *p)
{
    const int32_t n = pl_lanes_rvv(p->out_c - c);
    for (int32_t j = c; j < c + n; j++) {
        int32_t acc = 0;
        for (int32_t i = 0; i < p->k; i++) {
            acc += x[i] * p->weights[i * p->out_c + j];
        }
        *y++ = pl_output_rvv(acc, j, &p->channels);
    }
    return n;
}

/* The same for three pixels, x [3][k], y [3][out_c], where all channels shift to the right. */
static int32_t pl_dot3_s8__rvv(const int8_t *x, int8_t *y, int32_t c, const pl_channels_rvv *p)
{
    pl_dot1_s8__rvv(x, y, c, p);
    pl_dot1_s8__rvv(x + p->k, y + p->out_c, c, p);
    return pl_dot1_s8__rvv(x + 2 * p->k, y + 2 * p->out_c, c, p);
}
#endif

/* Pixels that pl_channels_s8__rvv takes next, when n > 0 are left. */
static inline int32_t pl_pixels_rvv(int32_t n, const pl_channels_rvv *p)
{
    return n >= PL_PIXELS_RVV && p->channels.right_only ? PL_PIXELS_RVV : 1;
}

/* All output channels of n pixels, n from pl_pixels_rvv.
 *
 *   y[j][c] = clamp(requantize(bias[c] + sum over i of x[j][i] * weights[i][c]))
 *
 * x [n][k]; y [n][out_c]
 */
static void pl_channels_s8__rvv(const int8_t *x, int8_t *y, int32_t n, const pl_channels_rvv *p)
{
    for (int32_t c = 0; c < p->out_c;) {
        c += n == 1 ? pl_dot1_s8__rvv(x, y + c, c, p) : pl_dot3_s8__rvv(x, y + c, c, p);
    }
}
