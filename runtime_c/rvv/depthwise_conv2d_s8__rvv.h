#pragma once
#include "common_rvv.h"

/* Depthwise 2-D convolution of int8 with as many output as input channels, one output row, with
 * vectors of channels, windows of at most PL_TAPS_RVV taps.
 *
 *   y[ox][c] = clamp(requantize(bias[c]
 *       + sum over ky,kx of row[ky][ox*stride + kx*dilation - pad][c] * w[ky][kx][c]))
 *
 * rows, y and bounds as for pl_depthwise_conv2d_s8
 * pad      in_w * in_c elements, all equal to the input's zero point
 * copies   with stride_w 1, the channels of this many pixels side by side may fill a vector; else 1
 * weights  [kernel_h][kernel_w][copies][in_c], every copy the same; so are those of channels.bias,
 *          multiplier, shift: [copies][in_c]
 * No scratch.
 */
typedef struct {
    int32_t in_w, in_c, out_w;
    int32_t kernel_h, kernel_w, stride_w, dilation_w, pad_left;
    int32_t copies;
    pl_scales_rvv channels;
    const int8_t *pad;
    const int8_t *weights;
} pl_depthwise_conv2d_s8__rvv_params;

enum { PL_TAPS_RVV = 49, PL_UNITS_RVV = 3 };

/* Where the taps of the window at column x0 lie, in the order of the weights. */
static PL_NOINLINE void pl_depthwise_taps_rvv(const int8_t **taps, const void *const *rows,
                                              int32_t x0,
                                              const pl_depthwise_conv2d_s8__rvv_params *p)
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

#if defined(__GNUC__) && defined(__riscv_vector)
/* Both inputs of a product are widened to 16 bits, so that it can be added to 32 bits at once. */
static PL_NOINLINE int32_t pl_depthwise_three_rvv(const int8_t *const *taps, int32_t shift,
                                                  int8_t *y, int32_t c, int32_t unit,
                                                  const pl_depthwise_conv2d_s8__rvv_params *p)
{
    const int8_t *const *end = taps + p->kernel_h * p->kernel_w;
    const int8_t *x, *w = p->weights + c;
    const int32_t *bias = p->channels.bias + c, *multiplier = p->channels.multiplier + c;
    size_t vl = (size_t)(unit - c);
    __asm__ volatile(
        "    csrwi   vxrm, 0\n"
        "    vsetvli %[vl], %[vl], e32, m8, ta, mu\n"
        "    vle32.v v0, (%[bias])\n"
        "    vmv8r.v v8, v0\n"
        "    vmv8r.v v16, v0\n"
        "    vsetvli zero, zero, e16, m4, ta, mu\n"
        "1:  " PL_LOAD_POINTER "      %[x], 0(%[taps])\n"
        "    addi    %[taps], %[taps], " PL_POINTER_BYTES "\n"
        "    vle8.v  v26, (%[w])\n"
        "    add     %[w], %[w], %[pitch]\n"
        "    add     %[x], %[x], %[first]\n"
        "    vsext.vf2 v24, v26\n"
        "    .irp    v, v0, v8, v16\n"
        "    vle8.v  v30, (%[x])\n"
        "    add     %[x], %[x], %[step]\n"
        "    vsext.vf2 v28, v30\n"
        "    vwmacc.vv \\v, v24, v28\n"
        "    .endr\n"
        "    bne     %[taps], %[end], 1b\n" PL_STORE3_RVV
        : [vl] "+&r"(vl), [taps] "+&r"(taps), [w] "+&r"(w), [y] "+&r"(y), [x] "=&r"(x)
        : [first] "r"((size_t)(shift + c)), [pitch] "r"((size_t)(p->copies * p->in_c)),
          [step] "r"((size_t)(unit * p->stride_w)), [y_step] "r"((size_t)unit), [end] "r"(end),
          [bias] "r"(bias), [multiplier] "r"(multiplier), [shift] "r"(p->channels.shift + c),
          [zero_point] "r"(p->channels.zero_point), [low] "r"(p->channels.low),
          [high] "r"(p->channels.high)
        : PL_VECTORS);
    return (int32_t)vl;
}

/* The same for one unit. */
static PL_NOINLINE int32_t pl_depthwise_one_rvv(const int8_t *const *taps, int32_t shift, int8_t *y,
                                                int32_t c, int32_t unit,
                                                const pl_depthwise_conv2d_s8__rvv_params *p)
{
    const int8_t *const *end = taps + p->kernel_h * p->kernel_w;
    const int8_t *x, *w = p->weights + c;
    const int32_t *bias = p->channels.bias + c, *multiplier = p->channels.multiplier + c;
    size_t vl = (size_t)(unit - c);
    __asm__ volatile(
        "    csrwi   vxrm, 0\n"
        "    vsetvli %[vl], %[vl], e32, m8, ta, mu\n"
        "    vle32.v v8, (%[bias])\n"
        "    vsetvli zero, zero, e16, m4, ta, mu\n"
        "1:  " PL_LOAD_POINTER "      %[x], 0(%[taps])\n"
        "    addi    %[taps], %[taps], " PL_POINTER_BYTES "\n"
        "    vle8.v  v26, (%[w])\n"
        "    add     %[w], %[w], %[pitch]\n"
        "    add     %[x], %[x], %[first]\n"
        "    vle8.v  v30, (%[x])\n"
        "    vsext.vf2 v24, v26\n"
        "    vsext.vf2 v28, v30\n"
        "    vwmacc.vv v8, v24, v28\n"
        "    bne     %[taps], %[end], 1b\n" PL_STORE1_RVV
        : [vl] "+&r"(vl), [taps] "+&r"(taps), [w] "+&r"(w), [x] "=&r"(x)
        : [y] "r"(y), [first] "r"((size_t)(shift + c)), [pitch] "r"((size_t)(p->copies * p->in_c)),
          [end] "r"(end), [bias] "r"(bias), [multiplier] "r"(multiplier),
          [shift] "r"(p->channels.shift + c), [zero_point] "r"(p->channels.zero_point),
          [low] "r"(p->channels.low), [high] "r"(p->channels.high),
          [right_only] "r"((size_t)p->channels.right_only)
        : PL_VECTORS);
    return (int32_t)vl;
}
#else
/* Channels of a unit from channel c on, as many as a vector has lanes for; returns how many they
 * are.
 *
 * taps   addresses of channel 0, `shift` elements before the unit's
 * y      where channel c goes
 * unit   channels of the unit
 */
static int32_t pl_depthwise_one_rvv(const int8_t *const *taps, int32_t shift, int8_t *y, int32_t c,
                                    int32_t unit, const pl_depthwise_conv2d_s8__rvv_params *p)
{
    const int32_t lanes = pl_lanes_rvv(unit - c), count = p->kernel_h * p->kernel_w;
    for (int32_t j = c; j < c + lanes; j++) {
        const int8_t *w = p->weights + j;
        int32_t acc = 0;
        for (int32_t i = 0; i < count; i++, w += p->copies * p->in_c) {
            acc += taps[i][shift + j] * *w;
        }
        *y++ = pl_output_rvv(acc, j, &p->channels);
    }
    return lanes;
}

/* The same for three units side by side, where all channels shift to the right. */
static int32_t pl_depthwise_three_rvv(const int8_t *const *taps, int32_t shift, int8_t *y,
                                      int32_t c, int32_t unit,
                                      const pl_depthwise_conv2d_s8__rvv_params *p)
{
    const int32_t step = unit * p->stride_w;
    pl_depthwise_one_rvv(taps, shift, y, c, unit, p);
    pl_depthwise_one_rvv(taps, shift + step, y + unit, c, unit, p);
    return pl_depthwise_one_rvv(taps, shift + 2 * step, y + 2 * unit, c, unit, p);
}
#endif

/* Outputs [ox, end), whose taps are all inside a row. A unit is the pixels whose channels fill a
 * vector, or one pixel; three units are computed at a time where there are as many. What is left at
 * the end is computed together with outputs before it, once more.
 */
static void pl_depthwise_inside_rvv(const int8_t **taps, const void *const *rows, int8_t *y,
                                    int32_t ox, int32_t end,
                                    const pl_depthwise_conv2d_s8__rvv_params *p)
{
    const int32_t in_c = p->in_c, start = ox, units = p->channels.right_only ? PL_UNITS_RVV : 1;
    int32_t merged = p->copies > 1 ? pl_lanes_rvv(p->copies * in_c) / in_c : 1;
    pl_depthwise_taps_rvv(taps, rows, ox * p->stride_w - p->pad_left, p);
    while (ox < end) {
        merged = end - start < merged ? 1 : merged;
        const int32_t few = end - ox <= merged || end - start < units * merged;
        const int32_t n = few ? merged : units * merged;
        ox = ox + n > end ? end - n : ox;
        const int32_t unit = merged * in_c, shift = (ox - start) * p->stride_w * in_c;
        int8_t *to = y + ox * in_c;
        for (int32_t c = 0; c < unit;) {
            if (n == merged) {
                c += pl_depthwise_one_rvv(taps, shift, to + c, c, unit, p);
            } else {
                c += pl_depthwise_three_rvv(taps, shift, to + c, c, unit, p);
            }
        }
        ox += n;
    }
}

static void pl_depthwise_conv2d_s8__rvv(const void *const *rows, int8_t *y,
                                        const pl_depthwise_conv2d_s8__rvv_params *p)
{
    const int8_t *taps[PL_TAPS_RVV];
    const int32_t in_c = p->in_c, stride = p->stride_w;
    const int32_t extent = (p->kernel_w - 1) * p->dilation_w + 1;
    /* outputs [inside, end) have all taps inside a row */
    const int32_t inside = (p->pad_left + stride - 1) / stride;
    const int32_t room = p->in_w + p->pad_left - extent;
    const int32_t last = room < 0 ? 0 : room / stride + 1, end = last < p->out_w ? last : p->out_w;
    for (int32_t ox = 0; ox < p->out_w; ox++) {
        if (ox >= inside && ox < end) {
            pl_depthwise_inside_rvv(taps, rows, y, ox, end, p);
            ox = end - 1;
            continue;
        }
        pl_depthwise_taps_rvv(taps, rows, ox * stride - p->pad_left, p);
        for (int32_t c = 0; c < in_c;) {
            c += pl_depthwise_one_rvv(taps, 0, y + ox * in_c + c, c, in_c, p);
        }
    }
}
