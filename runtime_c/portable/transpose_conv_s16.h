#pragma once
#include "dot_s16.h"
#include "store_s16.h"

/* Transposed 2-D convolution of int16, whole map, gathered per output element.
 *
 *   y[oy][ox][oc] = clamp(requantize(bias[oc] + sum over ky,kx,ic with iy*stride_h + ky - pad_top = oy and
 *       ix*stride_w + kx - pad_left = ox of x[iy][ix][ic] * weights[oc][ky][kx][ic]))
 *
 * x        [in_h][in_w][in_c]; y [out_h][out_w][out_c]; they must not overlap
 * No scratch. Bounds: |accumulator| < 2^47, scaled values fit int32 (proven when the code was generated).
 */
typedef struct {
    int32_t in_h, in_w, in_c, out_h, out_w, out_c;
    int32_t kernel_h, kernel_w, stride_h, stride_w, pad_top, pad_left;
    pl_channels_s16 channels;
    const int8_t *weights; /* [out_c][kernel_h][kernel_w][in_c] */
} pl_transpose_conv_s16_params;

/* Output channels from those of `w` on at row oy + pad_top = qy * stride_h + ry, columns alike: input
 * row qy meets tap ry, row qy - 1 tap ry + stride_h, and so on. */
static inline void pl_transpose_conv_s16_window(const int16_t *x, const int8_t *w,
                                                const pl_transpose_conv_s16_params *p,
                                                const int32_t q[2], const int32_t r[2],
                                                int32_t count, int64_t acc[4])
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
            const int16_t *pixel = x + (iy * p->in_w + ix) * p->in_c;
            const int8_t *tap = w + (ky * p->kernel_w + kx) * p->in_c;
            if (count == 4) {
                pl_dot4_s16(pixel, tap, pitch, p->in_c, acc);
            } else {
                acc[0] = pl_dot_s16(pixel, tap, p->in_c, acc[0]);
            }
        }
    }
}

static void pl_transpose_conv_s16(const int16_t *x, int16_t *y,
                                  const pl_transpose_conv_s16_params *p)
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
                int64_t acc[4] = {0, 0, 0, 0};
                pl_transpose_conv_s16_window(x, p->weights + oc * pitch, p, q, r, count, acc);
                pl_store_s16(y, acc, count, oc, &p->channels);
                y += count;
            }
        }
    }
}
