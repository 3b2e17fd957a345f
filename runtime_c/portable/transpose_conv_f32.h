#pragma once
#include "clamp_f32.h"
#include "dot_f32.h"

/* Transposed 2-D convolution of float32, whole map, gathered per output element.
 *
 *   y[oy][ox][oc] = clamp(bias[oc] + sum over ky,kx,ic with iy*stride_h + ky - pad_top = oy and
 *       ix*stride_w + kx - pad_left = ox of x[iy][ix][ic] * weights[oc][ky][kx][ic])
 *
 * x        [in_h][in_w][in_c]; y [out_h][out_w][out_c]; they must not overlap
 * No scratch. Order of additions: ky, kx, ic, from 0; the bias last.
 */
typedef struct {
    int32_t in_h, in_w, in_c, out_h, out_w, out_c;
    int32_t kernel_h, kernel_w, stride_h, stride_w, pad_top, pad_left;
    float low, high;
    const float *weights; /* [out_c][kernel_h][kernel_w][in_c] */
    const float *bias;    /* [out_c] */
} pl_transpose_conv_f32_params;

/* Output channels from those of `w` on at row oy + pad_top = qy * stride_h + ry, columns alike: input
 * row qy meets tap ry, row qy - 1 tap ry + stride_h, and so on. */
static inline void pl_transpose_conv_f32_window(const float *x, const float *w,
                                                const pl_transpose_conv_f32_params *p,
                                                const int32_t q[2], const int32_t r[2],
                                                int32_t count, float acc[4])
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
            const float *pixel = x + (iy * p->in_w + ix) * p->in_c;
            const float *tap = w + (ky * p->kernel_w + kx) * p->in_c;
            if (count == 4) {
                pl_dot4_f32(pixel, tap, pitch, p->in_c, acc);
            } else {
                acc[0] = pl_dot_f32(pixel, tap, p->in_c, acc[0]);
            }
        }
    }
}

static void pl_transpose_conv_f32(const float *x, float *y, const pl_transpose_conv_f32_params *p)
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
                float acc[4];
                for (int32_t i = 0; i < count; i++) {
                    acc[i] = 0.0f;
                }
                pl_transpose_conv_f32_window(x, p->weights + oc * pitch, p, q, r, count, acc);
                for (int32_t i = 0; i < count; i++) {
                    *y++ = pl_clamp_f32(acc[i] + p->bias[oc + i], p->low, p->high);
                }
            }
        }
    }
}
