#pragma once
#include "channels_s8.h"

/* Transposed 2-D convolution of int8, whole map, gathered per output element.
 *
 *   y[oy][ox][oc] = clamp(requantize(bias[oc] + sum over ky,kx,ic with iy*stride_h + ky - pad_top = oy and
 *       ix*stride_w + kx - pad_left = ox of (x[iy][ix][ic] - x_zero) * weights[oc][ky][kx][ic]))
 *
 * x        [in_h][in_w][in_c]; y [out_h][out_w][out_c]; they must not overlap
 * x_zero   the input's zero point; it is subtracted in the loop, since the number of taps that meet
 *          an output varies and nothing can be merged into the bias
 * No scratch. Bounds: |accumulator| < 2^30 for any input (proven when the code was generated).
 */
typedef struct {
    int32_t in_h, in_w, in_c, out_h, out_w, out_c;
    int32_t kernel_h, kernel_w, stride_h, stride_w, pad_top, pad_left;
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

/* Output channels from those of `w` on at row oy + pad_top = qy * stride_h + ry, columns alike: input
 * row qy meets tap ry, row qy - 1 tap ry + stride_h, and so on. */
static inline void pl_transpose_conv_s8_window(const int8_t *x, const int8_t *w,
                                               const pl_transpose_conv_s8_params *p,
                                               const int32_t q[2], const int32_t r[2],
                                               int32_t count, int32_t acc[4])
{
    const int32_t pitch = p->kernel_h * p->kernel_w * p->in_c;
    for (int32_t ky = r[0], iy = q[0]; ky < p->kernel_h && iy >= 0; ky += p->stride_h, iy--) {
        if (iy >= p->in_h) {
            continue;
        }
        for (int32_t kx = r[1], ix = q[1]; kx < p->kernel_w && ix >= 0; kx += p->stride_w, ix--) {
            if (ix >= p->in_w) {
                continue;
            }
            pl_transpose_conv_dot_s8(x + (iy * p->in_w + ix) * p->in_c, p->x_zero,
                                     w + (ky * p->kernel_w + kx) * p->in_c, pitch, p->in_c, count, acc);
        }
    }
}

static PL_INLINE void pl_transpose_conv_s8_loop(const int8_t *x, int8_t *y,
                                                const pl_transpose_conv_s8_params *p,
                                                pl_store_outputs *store)
{
    const int32_t pitch = p->kernel_h * p->kernel_w * p->in_c;
    for (int32_t oy = 0; oy < p->out_h; oy++) {
        const int32_t fy = oy + p->pad_top;
        for (int32_t ox = 0; ox < p->out_w; ox++) {
            const int32_t fx = ox + p->pad_left;
            const int32_t q[2] = {fy / p->stride_h, fx / p->stride_w};
            const int32_t r[2] = {fy - q[0] * p->stride_h, fx - q[1] * p->stride_w};
            for (int32_t oc = 0, count; oc < p->out_c; oc += count) {
                count = p->out_c - oc >= 4 ? 4 : 1;
                int32_t acc[4] = {0, 0, 0, 0};
                pl_transpose_conv_s8_window(x, p->weights + oc * pitch, p, q, r, count, acc);
                store(y, acc, count, oc, &p->channels);
                y += count;
            }
        }
    }
}
