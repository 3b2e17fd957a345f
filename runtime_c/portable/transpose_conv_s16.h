#pragma once
#include "dot_s16.h"
#include "store_s16.h"

/* Transposed 2-D convolution of int16, output row `oy`, gathered per output element.
 *
 *   y[ox][oc] = clamp(requantize(bias[oc] + sum over ky,kx,ic with iy*stride_h + ky - pad_top = oy and
 *       ix*stride_w + kx - pad_left = ox of x[iy][ix][ic] * weights[oc][ky][kx][ic]))
 *
 * rows     `taps` input rows [in_w][in_c], the last one (oy + pad_top) / stride_h; NULL where that is
 *          outside the input
 * y        [out_w][out_c]; must not overlap any row
 * No scratch. Bounds: |accumulator| < 2^47, scaled values fit int32 (proven when the code was generated).
 */
typedef struct {
    int32_t in_w, in_c, out_w, out_c;
    int32_t kernel_h, kernel_w, stride_h, stride_w, pad_top, pad_left, taps;
    pl_channels_s16 channels;
    const int8_t *weights; /* [out_c][kernel_h][kernel_w][in_c] */
} pl_transpose_conv_s16_params;

/* Output channels from those of `w` on. The last row meets tap ry, the one before it tap ry + stride_h,
 * and so on; column ox + pad_left = qx * stride_w + rx alike. */
static inline void pl_transpose_conv_s16_window(const void *const *rows, const int8_t *w,
                                                const pl_transpose_conv_s16_params *p, int32_t ry,
                                                int32_t qx, int32_t rx, int32_t count,
                                                int64_t acc[4])
{
    const int32_t pitch = p->kernel_h * p->kernel_w * p->in_c;
    for (int32_t ky = ry, i = p->taps - 1; ky < p->kernel_h; ky += p->stride_h, i--) {
        const int16_t *row = rows[i];
        if (!row) {
            continue;
        }
        for (int32_t kx = rx, ix = qx; kx < p->kernel_w && ix >= 0; kx += p->stride_w, ix--) {
            if (ix >= p->in_w) {
                continue;
            }
            const int8_t *tap = w + (ky * p->kernel_w + kx) * p->in_c;
            if (count == 4) {
                pl_dot4_s16(row + ix * p->in_c, tap, pitch, p->in_c, acc);
            } else {
                acc[0] = pl_dot_s16(row + ix * p->in_c, tap, p->in_c, acc[0]);
            }
        }
    }
}

static void pl_transpose_conv_s16(const void *const *rows, int16_t *y, int32_t oy,
                                  const pl_transpose_conv_s16_params *p)
{
    const int32_t pitch = p->kernel_h * p->kernel_w * p->in_c;
    const int32_t ry = (oy + p->pad_top) % p->stride_h;
    for (int32_t ox = 0; ox < p->out_w; ox++) {
        const int32_t fx = ox + p->pad_left;
        const int32_t qx = fx / p->stride_w, rx = fx - qx * p->stride_w;
        for (int32_t oc = 0, count; oc < p->out_c; oc += count) {
            count = p->out_c - oc >= 4 ? 4 : 1;
            int64_t acc[4] = {0, 0, 0, 0};
            pl_transpose_conv_s16_window(rows, p->weights + oc * pitch, p, ry, qx, rx, count, acc);
            pl_store_s16(y, acc, count, oc, &p->channels);
            y += count;
        }
    }
}
