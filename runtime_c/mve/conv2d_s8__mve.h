#pragma once
#include "block_mve.h"

/* 2-D convolution of int8, one output row, for inputs of many channels.
 *
 * Formula, rows and y as pl_conv2d_s8, without dilation along x and without groups. The columns under
 * the windows of some pixels are gathered in scratch, so that every window is one run of inputs.
 *
 * pad      at least max(in_w, kernel_w) * in_c elements, all equal to the input's zero point
 * tile     output columns for which columns are gathered at a time, a multiple of 4
 * scratch  (tile - 1) * stride_w * kernel_h * in_c + 16 * chunks bytes
 * weights  [out_c / 4][chunks][4 channels][16 inputs], inputs in the order [kernel_w][kernel_h][in_c],
 *          filled up with zeros; chunks = kernel_w * kernel_h * in_c / 16, rounded up
 * Bounds: as pl_conv2d_s8.
 */
typedef struct {
    int32_t in_w, in_c, out_w, kernel_h, kernel_w, stride_w, pad_left, chunks, tile;
    const int8_t *pad;
    pl_mve_channels channels;
    const int8_t *weights;
} pl_conv2d_s8__mve_params;

/* to[i * step + c] = from[i * n + c] for c < n, i < count; count >= 1, n >= 1. */
static PL_NOINLINE void pl_conv2d_s8__mve_spread(int8_t *to, const int8_t *from, int32_t count,
                                                 int32_t n, int32_t step)
{
#ifdef PL_MVE
    const int32_t back = (n + 15) / 16 * 16;
    if (n == 16) {
        __asm__ volatile("dls lr, %[count]\n"
                         "1:\n\t"
                         "vldrb.u8 q0, [%[from]], #16\n\t"
                         "vstrb.8 q0, [%[to]]\n\t"
                         "add %[to], %[to], %[step]\n\t"
                         "le lr, 1b"
                         : [to] "+&r"(to), [from] "+&r"(from)
                         : [count] "r"(count), [step] "r"(step)
                         : "lr", "q0", "memory");
        return;
    }
    __asm__ volatile("1:\n\t"
                     "dlstp.8 lr, %[n]\n"
                     "2:\n\t"
                     "vldrb.u8 q0, [%[from]], #16\n\t"
                     "vstrb.8 q0, [%[to]], #16\n\t"
                     "letp lr, 2b\n\t"
                     "add %[to], %[to], %[skip]\n\t"
                     "sub %[from], %[from], %[over]\n\t"
                     "subs %[count], %[count], #1\n\t"
                     "bne 1b"
                     : [to] "+&r"(to), [from] "+&r"(from), [count] "+&r"(count)
                     : [n] "r"(n), [skip] "r"(step - back), [over] "r"(back - n)
                     : "lr", "q0", "cc", "memory");
#else
    for (; count > 0; count--, to += step, from += n) {
        memcpy(to, from, (size_t)n);
    }
#endif
}

/* Columns x0 to x0 + columns - 1 of all rows, as [columns][kernel_h][in_c]. */
static PL_NOINLINE void pl_conv2d_s8__mve_columns(int8_t *to, const void *const *rows, int32_t x0,
                                                  int32_t columns, const pl_conv2d_s8__mve_params *p)
{
    const int32_t in_c = p->in_c, step = p->kernel_h * in_c;
    const int32_t begin = pl_clamp(-x0, 0, columns), end = pl_clamp(p->in_w - x0, begin, columns);
    for (int32_t ky = 0; ky < p->kernel_h; ky++, to += in_c) {
        if (begin > 0) {
            pl_conv2d_s8__mve_spread(to, p->pad, begin, in_c, step);
        }
        if (end > begin) {
            const int8_t *from = (const int8_t *)rows[ky] + (x0 + begin) * in_c;
            pl_conv2d_s8__mve_spread(to + begin * step, from, end - begin, in_c, step);
        }
        if (columns > end) {
            pl_conv2d_s8__mve_spread(to + end * step, p->pad, columns - end, in_c, step);
        }
    }
}

static void pl_conv2d_s8__mve(const void *const *rows, int8_t *y, int8_t *scratch,
                              const pl_conv2d_s8__mve_params *p)
{
    const int32_t out_c = p->channels.count, stride = p->stride_w;
    const int32_t pitch = stride * p->kernel_h * p->in_c;
    pl_mve_block b = pl_mve_new_block(&p->channels, p->chunks);
    for (int32_t ox = 0; ox < p->out_w; ox += p->tile) {
        const int32_t tile = pl_mve_next(p->out_w - ox, p->tile);
        const int32_t x0 = ox * stride - p->pad_left, columns = (tile - 1) * stride + p->kernel_w;
        const int8_t *x = scratch;
        if (p->kernel_h == 1 && x0 >= 0 && x0 + columns <= p->in_w && p->kernel_w * p->in_c % 16 == 0) {
            x = (const int8_t *)rows[0] + x0 * p->in_c; /* windows of one row are runs already */
        } else {
            pl_conv2d_s8__mve_columns(scratch, rows, x0, columns, p);
        }
        pl_mve_pixels(&b, x, pitch, y, tile, p->weights, &p->channels);
        y += tile * out_c;
    }
}
