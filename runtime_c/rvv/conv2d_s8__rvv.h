#pragma once
#include "channels_s8_rvv.h"

/* 2-D convolution of int8 without groups, one output row, with vectors of output channels. Rows, y
 * and bounds as for pl_conv2d_s8.
 *
 * pad       kernel_w * in_c elements, all equal to the input's zero point
 * channels  its k: elements of a window
 * scratch   PL_PIXELS_RVV * k bytes: gathered windows
 */
typedef struct {
    int32_t in_w, in_c, out_w;
    int32_t kernel_h, kernel_w, stride_w, dilation_w, pad_left;
    const int8_t *pad;
    pl_channels_rvv channels;
} pl_conv2d_s8__rvv_params;

#if defined(__GNUC__) && defined(__riscv_vector)
static inline void pl_copy_rvv(int8_t *to, const int8_t *from, int32_t n)
{
    size_t left = (size_t)n, vl;
    __asm__ volatile("1:  vsetvli %[vl], %[left], e8, m8, ta, ma\n"
                     "    vle8.v  v0, (%[from])\n"
                     "    sub     %[left], %[left], %[vl]\n"
                     "    add     %[from], %[from], %[vl]\n"
                     "    vse8.v  v0, (%[to])\n"
                     "    add     %[to], %[to], %[vl]\n"
                     "    bnez    %[left], 1b\n"
                     : [left] "+&r"(left), [vl] "=&r"(vl), [from] "+&r"(from), [to] "+&r"(to)
                     :
                     : PL_VECTORS);
}
#else
/* n > 0 elements. */
static inline void pl_copy_rvv(int8_t *to, const int8_t *from, int32_t n)
{
    memcpy(to, from, (size_t)n);
}
#endif

/* Rows of the window at column x0 as runs of taps side by side: padding, input, padding. */
static PL_NOINLINE void pl_gather_runs_rvv(int8_t *to, const void *const *rows, int32_t x0,
                                           const pl_conv2d_s8__rvv_params *p)
{
    const int32_t begin = pl_clamp(-x0, 0, p->kernel_w), in_c = p->in_c;
    const int32_t end = pl_clamp(p->in_w - x0, begin, p->kernel_w);
    const int32_t before = begin * in_c, inside = (end - begin) * in_c;
    const int32_t after = (p->kernel_w - end) * in_c, first = (x0 + begin) * in_c;
    const int8_t *pad = p->pad;
    for (const void *const *last = rows + p->kernel_h; rows < last;) {
        const int8_t *row = (const int8_t *)*rows++;
        if (before > 0) {
            pl_copy_rvv(to, pad, before);
            to += before;
        }
        if (inside > 0) {
            pl_copy_rvv(to, row == pad ? pad : row + first, inside);
            to += inside;
        }
        if (after > 0) {
            pl_copy_rvv(to, pad, after);
            to += after;
        }
    }
}

/* The same tap by tap, for dilation. */
static PL_NOINLINE void pl_gather_taps_rvv(int8_t *to, const void *const *rows, int32_t x0,
                                           const pl_conv2d_s8__rvv_params *p)
{
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        const int8_t *row = (const int8_t *)rows[ky];
        for (int32_t i = 0, x = x0; i < p->kernel_w; i++, x += p->dilation_w, to += p->in_c) {
            const int32_t outside = row == p->pad || x < 0 || x >= p->in_w;
            pl_copy_rvv(to, outside ? p->pad : row + x * p->in_c, p->in_c);
        }
    }
}

static void pl_conv2d_s8__rvv(const void *const *rows, int8_t *y, int8_t *scratch,
                              const pl_conv2d_s8__rvv_params *p)
{
    const int32_t k = p->channels.k;
    int32_t x0 = -p->pad_left;
    for (int32_t left = p->out_w, n; left > 0; left -= n, y += n * p->channels.out_c) {
        n = pl_pixels_rvv(left, &p->channels);
        for (int32_t i = 0; i < n; i++, x0 += p->stride_w) {
            if (p->dilation_w == 1) {
                pl_gather_runs_rvv(scratch + i * k, rows, x0, p);
            } else {
                pl_gather_taps_rvv(scratch + i * k, rows, x0, p);
            }
        }
        pl_channels_s8__rvv(scratch, y, n, &p->channels);
    }
}
