#pragma once
#include "channels_s8.h"

/* Depthwise 2-D convolution of int8, one output row, windows of at most PL_DEPTHWISE_TAPS taps.
 *
 *   y[ox][c*depth + m] = clamp(requantize(bias[c*depth + m]
 *       + sum over ky,kx of row[ky][ox*stride + kx*dilation - pad][c] * w[ky][kx][c*depth + m]))
 *
 * rows       kernel_h pointers to input rows [in_w][in_c]; rows outside the input point to `pad`
 * y          [out_w][in_c * depth]; must not overlap any row
 * pad        at least in_w * in_c elements, all equal to the input's zero point
 * weights    in blocks of output channels, each block [kernel_h * kernel_w][channels of the block]: four
 *            channels while there are four (depth 1) or four left of the same input channel, else one
 * channels.bias has -zero_point of x * sum(w) merged in, so that raw activations are multiplied
 * No scratch. Bounds: |accumulator| < 2^30 for any input (proven when the code was generated).
 */
typedef struct {
    int32_t in_w, in_c, depth, out_w;
    int32_t kernel_h, kernel_w, stride_w, dilation_w, pad_left;
    pl_channels_s8 channels;
    const int8_t *pad;
    const int8_t *weights;
} pl_depthwise_conv2d_s8_params;

enum { PL_DEPTHWISE_TAPS = 49 };

/* Addresses of the taps of the window at column x0, in the order of the weights. */
static PL_NOINLINE void pl_depthwise_taps_s8(const int8_t **taps, const void *const *rows,
                                             const pl_depthwise_conv2d_s8_params *p, int32_t x0)
{
    const int32_t in_w = p->in_w, in_c = p->in_c, dilation_w = p->dilation_w;
    const int8_t *pad = p->pad;
    for (const void *const *end = rows + p->kernel_h; rows < end;) {
        const int8_t *row = (const int8_t *)*rows++;
        int32_t ix = x0;
        for (int32_t kx = p->kernel_w; kx > 0; kx--, ix += dilation_w) {
            *taps++ = (uint32_t)ix < (uint32_t)in_w ? row + ix * in_c : pad;
        }
    }
}

/* acc[j] = sum of taps * w for four output channels that read input channels c, c + 1, c + 2, c + 3. */
static PL_NOINLINE void pl_depthwise_apart4_s8(const int8_t *const *taps, int32_t count, int32_t c,
                                               const int8_t *w, int32_t acc[4])
{
    int32_t a0 = 0, a1 = 0, a2 = 0, a3 = 0;
    for (const int8_t *const *end = taps + count; taps < end; w += 4) {
        const int8_t *x = *taps++ + c;
        a0 += x[0] * w[0];
        a1 += x[1] * w[1];
        a2 += x[2] * w[2];
        a3 += x[3] * w[3];
    }
    acc[0] = a0;
    acc[1] = a1;
    acc[2] = a2;
    acc[3] = a3;
}

/* The same for four output channels that all read input channel c. */
static PL_NOINLINE void pl_depthwise_same4_s8(const int8_t *const *taps, int32_t count, int32_t c,
                                              const int8_t *w, int32_t acc[4])
{
    int32_t a0 = 0, a1 = 0, a2 = 0, a3 = 0;
    for (const int8_t *const *end = taps + count; taps < end; w += 4) {
        const int32_t v = (*taps++)[c];
        a0 += v * w[0];
        a1 += v * w[1];
        a2 += v * w[2];
        a3 += v * w[3];
    }
    acc[0] = a0;
    acc[1] = a1;
    acc[2] = a2;
    acc[3] = a3;
}

/* The same for one output channel. */
static PL_NOINLINE int32_t pl_depthwise_one_s8(const int8_t *const *taps, int32_t count, int32_t c,
                                               const int8_t *w)
{
    int32_t acc = 0;
    for (const int8_t *const *end = taps + count; taps < end;) {
        acc += (*taps++)[c] * *w++;
    }
    return acc;
}

static PL_INLINE void pl_depthwise_conv2d_s8_loop(const void *const *rows, int8_t *y,
                                                  const pl_depthwise_conv2d_s8_params *p,
                                                  pl_store_outputs *store)
{
    const int32_t count = p->kernel_h * p->kernel_w, apart = p->depth == 1;
    /* Output channels that read input channels side by side, or all the same one. */
    const int32_t run = apart ? p->in_c : p->depth, out_c = p->in_c * p->depth;
    for (int32_t ox = 0; ox < p->out_w; ox++) {
        const int8_t *taps[PL_DEPTHWISE_TAPS], *w = p->weights;
        pl_depthwise_taps_s8(taps, rows, p, ox * p->stride_w - p->pad_left);
        int32_t c = 0, left = run;
        for (int32_t oc = 0, n; oc < out_c; oc += n, y += n) {
            int32_t acc[PL_STORE], i = 0;
            n = left < PL_STORE ? left : PL_STORE;
            for (; i + 4 <= n; i += 4, w += 4 * count) {
                if (apart) {
                    pl_depthwise_apart4_s8(taps, count, c + i, w, acc + i);
                } else {
                    pl_depthwise_same4_s8(taps, count, c, w, acc + i);
                }
            }
            for (; i < n; i++, w += count) {
                acc[i] = pl_depthwise_one_s8(taps, count, apart ? c + i : c, w);
            }
            store(y, acc, n, oc, &p->channels);
            left -= n;
            c += apart ? n : left == 0;
            left = left == 0 ? run : left;
        }
    }
}
