#pragma once
#include "pool_rvv.h"

/* Average pooling of int8, one output row, with vectors of channels.
 * Contract as pl_average_pool2d_s8. Bounds: kernel_h * kernel_w <= 255, so that sums fit 16 bits.
 */
typedef struct {
    int32_t in_w, channels, out_w;
    int32_t kernel_h, kernel_w, stride_w, pad_left;
    int32_t low, high;
} pl_average_pool2d_s8__rvv_params;

#if defined(__GNUC__) && defined(__riscv_vector)
/* Half the divisor with the sum's sign is (half ^ sign) - sign, sign being 0 or -1. */
static PL_NOINLINE int32_t pl_average_window_rvv(const void *const *rows, pl_columns_rvv at,
                                                 int32_t count, int8_t *y, int32_t c,
                                                 const pl_average_pool2d_s8__rvv_params *p)
{
    const void *const *end = rows + p->kernel_h;
    const int8_t *x;
    size_t vl = (size_t)(p->channels - c), left;
    __asm__ volatile(
        "    csrwi   vxrm, 0\n"
        "    vsetvli %[vl], %[vl], e16, m4, ta, ma\n"
        "    vmv.v.i v4, 0\n"
        "    vsetvli zero, zero, e8, m2, ta, ma\n"
        "1:  " PL_LOAD_POINTER "      %[x], 0(%[rows])\n"
        "    addi    %[rows], %[rows], " PL_POINTER_BYTES "\n"
        "    mv      %[left], %[columns]\n"
        "    beqz    %[x], 3f\n"
        "    add     %[x], %[x], %[offset]\n"
        "2:  vle8.v  v0, (%[x])\n"
        "    add     %[x], %[x], %[step]\n"
        "    addi    %[left], %[left], -1\n"
        "    vwadd.wv v4, v4, v0\n"
        "    bnez    %[left], 2b\n"
        "3:  bne     %[rows], %[end], 1b\n"
        "    vsetvli zero, zero, e32, m8, ta, ma\n"
        "    vsext.vf2 v8, v4\n"
        "    vsra.vi v16, v8, 31\n"
        "    vxor.vx v24, v16, %[half]\n"
        "    vsub.vv v24, v24, v16\n"
        "    vadd.vv v8, v8, v24\n"
        "    vdiv.vx v8, v8, %[count]\n"
        "    vsetvli zero, zero, e16, m4, ta, ma\n"
        "    vnclip.wi v8, v8, 0\n"
        "    vsetvli zero, zero, e8, m2, ta, ma\n"
        "    vnclip.wi v8, v8, 0\n"
        "    vmax.vx v8, v8, %[low]\n"
        "    vmin.vx v8, v8, %[high]\n"
        "    vse8.v  v8, (%[y])\n"
        : [rows] "+&r"(rows), [vl] "+&r"(vl), [x] "=&r"(x), [left] "=&r"(left)
        : [end] "r"(end), [columns] "r"((size_t)at.columns), [step] "r"((size_t)p->channels),
          [offset] "r"((size_t)(at.first * p->channels + c)), [half] "r"(count / 2),
          [count] "r"(count), [low] "r"(p->low), [high] "r"(p->high), [y] "r"(y)
        : PL_VECTORS);
    return (int32_t)vl;
}
#else
/* Channels of one window of `count` elements from channel c on, as many as a vector takes; returns
 * how many they are. */
static int32_t pl_average_window_rvv(const void *const *rows, pl_columns_rvv at, int32_t count,
                                     int8_t *y, int32_t c,
                                     const pl_average_pool2d_s8__rvv_params *p)
{
    const int32_t n = pl_lanes_rvv(p->channels - c);
    for (int32_t j = c; j < c + n; j++) {
        int32_t sum = 0;
        for (int32_t ky = 0; ky < p->kernel_h; ky++) {
            const int8_t *row = (const int8_t *)rows[ky];
            for (int32_t ix = at.first; row && ix < at.first + at.columns; ix++) {
                sum += row[ix * p->channels + j];
            }
        }
        const int32_t mean = (sum + (sum > 0 ? count / 2 : -(count / 2))) / count;
        *y++ = (int8_t)pl_clamp(mean, p->low, p->high);
    }
    return n;
}
#endif

static void pl_average_pool2d_s8__rvv(const void *const *rows, int8_t *y,
                                      const pl_average_pool2d_s8__rvv_params *p)
{
    int32_t inside = 0;
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        inside += rows[ky] ? 1 : 0;
    }
    for (int32_t ox = 0; ox < p->out_w; ox++, y += p->channels) {
        const int32_t x0 = ox * p->stride_w - p->pad_left;
        const pl_columns_rvv at = pl_pool_columns_rvv(x0, p->kernel_w, p->in_w);
        for (int32_t c = 0; c < p->channels;) {
            c += pl_average_window_rvv(rows, at, inside * at.columns, y + c, c, p);
        }
    }
}
