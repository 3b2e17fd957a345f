#pragma once
#include "pool_rvv.h"

/* Maximum pooling of int8, one output row, with vectors of channels. As pl_max_pool2d_s8. */
typedef struct {
    int32_t in_w, channels, out_w;
    int32_t kernel_h, kernel_w, stride_w, pad_left;
    int32_t low, high;
} pl_max_pool2d_s8__rvv_params;

#if defined(__GNUC__) && defined(__riscv_vector)
static PL_NOINLINE int32_t pl_max_window_rvv(const void *const *rows, pl_columns_rvv at, int8_t *y,
                                             int32_t c,
                                             const pl_max_pool2d_s8__rvv_params *p)
{
    const void *const *end = rows + p->kernel_h;
    const int8_t *x;
    size_t vl = (size_t)(p->channels - c), left;
    __asm__ volatile(
        "    vsetvli %[vl], %[vl], e8, m8, ta, ma\n"
        "    vmv.v.x v0, %[low]\n"
        "1:  " PL_LOAD_POINTER "      %[x], 0(%[rows])\n"
        "    addi    %[rows], %[rows], " PL_POINTER_BYTES "\n"
        "    mv      %[left], %[columns]\n"
        "    beqz    %[x], 3f\n"
        "    add     %[x], %[x], %[offset]\n"
        "2:  vle8.v  v8, (%[x])\n"
        "    add     %[x], %[x], %[step]\n"
        "    addi    %[left], %[left], -1\n"
        "    vmax.vv v0, v0, v8\n"
        "    bnez    %[left], 2b\n"
        "3:  bne     %[rows], %[end], 1b\n"
        "    vmin.vx v0, v0, %[high]\n"
        "    vse8.v  v0, (%[y])\n"
        : [rows] "+&r"(rows), [vl] "+&r"(vl), [x] "=&r"(x), [left] "=&r"(left)
        : [end] "r"(end), [columns] "r"((size_t)at.columns), [step] "r"((size_t)p->channels),
          [offset] "r"((size_t)(at.first * p->channels + c)), [low] "r"(p->low),
          [high] "r"(p->high), [y] "r"(y)
        : PL_VECTORS);
    return (int32_t)vl;
}
#else
/* Channels of one window from channel c on, as many as a vector takes; returns how many. */
static int32_t pl_max_window_rvv(const void *const *rows, pl_columns_rvv at, int8_t *y, int32_t c,
                                 const pl_max_pool2d_s8__rvv_params *p)
{
    const int32_t n = pl_lanes_rvv(p->channels - c);
    for (int32_t j = c; j < c + n; j++) {
        int32_t largest = p->low;
        for (int32_t ky = 0; ky < p->kernel_h; ky++) {
            const int8_t *row = (const int8_t *)rows[ky];
            for (int32_t ix = at.first; row && ix < at.first + at.columns; ix++) {
                const int32_t v = row[ix * p->channels + j];
                largest = v > largest ? v : largest;
            }
        }
        *y++ = (int8_t)(largest > p->high ? p->high : largest);
    }
    return n;
}
#endif

static void pl_max_pool2d_s8__rvv(const void *const *rows, int8_t *y,
                                  const pl_max_pool2d_s8__rvv_params *p)
{
    for (int32_t ox = 0; ox < p->out_w; ox++, y += p->channels) {
        const int32_t x0 = ox * p->stride_w - p->pad_left;
        const pl_columns_rvv at = pl_pool_columns_rvv(x0, p->kernel_w, p->in_w);
        for (int32_t c = 0; c < p->channels;) {
            c += pl_max_window_rvv(rows, at, y + c, c, p);
        }
    }
}
