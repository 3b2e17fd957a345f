#pragma once
#include "channels_s8.h"

/* Transposed 2-D convolution of int8, output row `oy`, gathered per output element.
 *
 *   y[ox][oc] = clamp(requantize(bias[oc] + sum over ky,kx,ic with iy*stride_h + ky - pad_top = oy and
 *       ix*stride_w + kx - pad_left = ox of (x[iy][ix][ic] - x_zero) * weights[oc][ky][kx][ic]))
 *
 * rows     `taps` input rows [in_w][in_c], the last one (oy + pad_top) / stride_h; NULL where that is
 *          outside the input
 * y        [out_w][out_c]; must not overlap any row
 * x_zero   the input's zero point; it is subtracted in the loop, since the number of taps that meet
 *          an output varies and nothing can be merged into the bias
 * No scratch. Bounds: |accumulator| < 2^30 for any input (proven when the code was generated).
 */
typedef struct {
    int32_t in_w, in_c, out_w, out_c;
    int32_t kernel_h, kernel_w, stride_h, stride_w, pad_top, pad_left, taps;
    int32_t x_zero;
    pl_channels_s8 channels;
    const int8_t *weights; /* [out_c][kernel_h][kernel_w][in_c] */
} pl_transpose_conv_s8_params;

/* acc[j] += sum over i < n of (x[i] - zero) * w[j * pitch + i] for `count` (1 or 4) output channels. */
static inline void pl_transpose_conv_dot_s8(const int8_t *x, int32_t zero, const int8_t *w,
                                            int32_t pitch, int32_t n, int32_t count,
                                            int32_t acc[4])
{
    if (count == 4) {
        const int8_t *w0 = w, *w1 = w0 + pitch, *w2 = w1 + pitch, *w3 = w2 + pitch;
        int32_t a0 = acc[0], a1 = acc[1], a2 = acc[2], a3 = acc[3];
        for (const int8_t *end = x + n; x < end; x++) {
            const int32_t v = *x - zero;
            a0 += v * *w0++;
            a1 += v * *w1++;
            a2 += v * *w2++;
            a3 += v * *w3++;
        }
        acc[0] = a0;
        acc[1] = a1;
        acc[2] = a2;
        acc[3] = a3;
    } else {
        for (const int8_t *end = x + n; x < end; x++) {
            acc[0] += (*x - zero) * *w++;
        }
    }
}

/* Output channels from those of `w` on. The last row meets tap ry, the one before it tap ry + stride_h,
 * and so on; column ox + pad_left = qx * stride_w + rx alike. */
static inline void pl_transpose_conv_s8_window(const void *const *rows, const int8_t *w,
                                               const pl_transpose_conv_s8_params *p, int32_t ry,
                                               int32_t qx, int32_t rx, int32_t count, int32_t acc[4])
{
    const int32_t pitch = p->kernel_h * p->kernel_w * p->in_c;
    for (int32_t ky = ry, i = p->taps - 1; ky < p->kernel_h; ky += p->stride_h, i--) {
        const int8_t *row = rows[i];
        if (!row) {
            continue;
        }
        for (int32_t kx = rx, ix = qx; kx < p->kernel_w && ix >= 0; kx += p->stride_w, ix--) {
            if (ix >= p->in_w) {
                continue;
            }
            pl_transpose_conv_dot_s8(row + ix * p->in_c, p->x_zero,
                                     w + (ky * p->kernel_w + kx) * p->in_c, pitch, p->in_c, count, acc);
        }
    }
}

static PL_INLINE void pl_transpose_conv_s8_loop(const void *const *rows, int8_t *y, int32_t oy,
                                                const pl_transpose_conv_s8_params *p,
                                                pl_store_outputs *store)
{
    const int32_t pitch = p->kernel_h * p->kernel_w * p->in_c;
    const int32_t ry = (oy + p->pad_top) % p->stride_h;
    for (int32_t ox = 0; ox < p->out_w; ox++) {
        const int32_t fx = ox + p->pad_left;
        const int32_t qx = fx / p->stride_w, rx = fx - qx * p->stride_w;
        for (int32_t oc = 0, count; oc < p->out_c; oc += count) {
            count = p->out_c - oc >= 4 ? 4 : 1;
            int32_t acc[4] = {0, 0, 0, 0};
            pl_transpose_conv_s8_window(rows, p->weights + oc * pitch, p, ry, qx, rx, count, acc);
            store(y, acc, count, oc, &p->channels);
            y += count;
        }
    }
}
