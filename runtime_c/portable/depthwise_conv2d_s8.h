#pragma once
#include "depthwise_columns.h"
#include "store_s8.h"

/* Depthwise 2-D convolution of int8, one output row.
 *
 *   y[ox][c*depth + m] = clamp(requantize(bias[c*depth + m]
 *       + sum over ky,kx of row[ky][ox*stride + kx*dilation - pad][c] * w[ky][kx][c*depth + m]))
 *
 * rows       kernel_h pointers to input rows [in_w][in_c]; rows outside the input hold x_zero
 * y          [out_w][in_c * depth]; must not overlap any row
 * x_zero     the input's zero point, read for columns left and right of the input
 * weights    in blocks of output channels, each block [kernel_h][kernel_w][channels of the block]: four
 *            channels while there are four (depth 1) or four left of the same input channel, else one
 * channels.bias has -x_zero * sum(w) merged in, so that raw activations are multiplied
 * No scratch. Bounds: |accumulator| < 2^30 for any input (proven when the code was generated).
 */
typedef struct {
    int32_t in_w, in_c, depth, out_w;
    int32_t kernel_h, kernel_w, stride_w, dilation_w, pad_left;
    int32_t x_zero;
    pl_channels_s8 channels;
    const int8_t *weights;
} pl_depthwise_conv2d_s8_params;

/* acc[j] += x_zero * w of the taps outside the input; w is a block of n channels. */
static PL_NOINLINE void pl_depthwise_outside_s8(const pl_depthwise_conv2d_s8_params *p, const pl_columns *s,
                                                const int8_t *w, int32_t n, int32_t acc[4])
{
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        for (int32_t kx = 0; kx < p->kernel_w; kx++, w += n) {
            if (kx >= s->first && kx < s->first + s->count) {
                continue;
            }
            for (int32_t j = 0; j < n; j++) {
                acc[j] += p->x_zero * w[j];
            }
        }
    }
}

/* acc[j] = sum of the taps inside the input, for a block w of four output channels. They read four input
 * channels side by side (apart = 1) or all the same one (apart = 0), the first at element x0 of a row. */
static inline void pl_depthwise_inside4_s8(const void *const *rows, const pl_depthwise_conv2d_s8_params *p,
                                           const pl_columns *s, int32_t x0, const int8_t *w,
                                           const int32_t apart, int32_t acc[4])
{
    const int32_t step = p->in_c * p->dilation_w, skipped = 4 * (p->kernel_w - s->count), count = s->count;
    const void *const *end = rows + p->kernel_h;
    int32_t a0 = 0, a1 = 0, a2 = 0, a3 = 0;
    for (w += 4 * s->first; rows < end; w += skipped) {
        const int8_t *x = (const int8_t *)*rows++ + x0;
        for (int32_t n = count; n > 0; n--, x += step, w += 4) {
            a0 += x[0] * w[0];
            a1 += x[apart] * w[1];
            a2 += x[2 * apart] * w[2];
            a3 += x[3 * apart] * w[3];
        }
    }
    acc[0] = a0;
    acc[1] = a1;
    acc[2] = a2;
    acc[3] = a3;
}

/* The same for a block of one output channel. */
static inline int32_t pl_depthwise_inside_s8(const void *const *rows, const pl_depthwise_conv2d_s8_params *p,
                                             const pl_columns *s, int32_t x0, const int8_t *w)
{
    const int32_t step = p->in_c * p->dilation_w, skipped = p->kernel_w - s->count, count = s->count;
    const void *const *end = rows + p->kernel_h;
    int32_t acc = 0;
    for (w += s->first; rows < end; w += skipped) {
        const int8_t *x = (const int8_t *)*rows++ + x0;
        for (int32_t n = count; n > 0; n--, x += step) {
            acc += *x * *w++;
        }
    }
    return acc;
}

/* One block of n = 4 or 1 output channels whose first input channel is c. */
static inline void pl_depthwise_block_s8(const void *const *rows, const pl_depthwise_conv2d_s8_params *p,
                                         const pl_columns *s, int32_t c, const int8_t *w, int32_t n,
                                         int32_t acc[4])
{
    if (n == 1) {
        acc[0] = pl_depthwise_inside_s8(rows, p, s, s->offset + c, w);
    } else if (p->depth == 1) {
        pl_depthwise_inside4_s8(rows, p, s, s->offset + c, w, 1, acc);
    } else {
        pl_depthwise_inside4_s8(rows, p, s, s->offset + c, w, 0, acc);
    }
    if (s->count < p->kernel_w) {
        pl_depthwise_outside_s8(p, s, w, n, acc);
    }
}

static void pl_depthwise_conv2d_s8(const void *const *rows, int8_t *y, const pl_depthwise_conv2d_s8_params *p)
{
    const int32_t taps = p->kernel_h * p->kernel_w;
    /* Output channels in a row that read input channels side by side, or the same one. */
    const int32_t run = p->depth == 1 ? p->in_c : p->depth, apart = p->depth == 1;
    for (int32_t ox = 0; ox < p->out_w; ox++) {
        const pl_columns s =
            pl_window_columns(ox * p->stride_w - p->pad_left, p->kernel_w, p->dilation_w, p->in_w, p->in_c);
        const int8_t *w = p->weights;
        for (int32_t first = 0, oc = 0; first < p->in_c; first += apart ? run : 1) {
            for (int32_t r = 0, n; r < run; r += n, oc += n, y += n) {
                int32_t acc[PL_STORE];
                n = run - r < PL_STORE ? run - r : PL_STORE;
                for (int32_t i = 0, block; i < n; i += block, w += block * taps) {
                    block = n - i >= 4 ? 4 : 1;
                    pl_depthwise_block_s8(rows, p, &s, first + apart * (r + i), w, block, acc + i);
                }
                pl_store_s8(y, acc, n, oc, &p->channels);
            }
        }
    }
}
