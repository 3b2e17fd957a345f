#pragma once
#include "common_mve.h"

/* 1x1 convolution of int8 over a run of pixels of at most 16 input channels.
 *
 *   y[i][oc] = clamp(requantize(bias[oc] + sum over ic of x[i][ic] * weights[oc][ic])),  i < pixels
 *
 * x        [pixels][in_c], in_c <= 16; y [pixels][out_c]; they must not overlap
 * channels per group of 4 channels: 4 x 16 weights (filled up with zeros), 4 biases, 4 multipliers, 4
 *          shifts to the left, all below 0. The last group repeats channels where out_c is not a
 *          multiple of 4, so that it ends with the last one; out_c >= 4
 * up       ties may be rounded up: an activation cuts off what is below the zero point
 * No scratch. Outputs have all the range of int8. Bounds: as pl_pointwise_s8.
 */
typedef struct {
    int32_t in_c, out_c, up, zero_point;
    const int32_t *channels; /* [(out_c + 3) / 4][28] */
} pl_pointwise_s8__mve_short_params;

#ifdef PL_MVE
/* Weights of 4 channels stay in registers; one pixel per round. */
#define PL_MVE_SHORT(away)                                                                         \
    "vldrw.u32 q0, [r11], #16\n\tvldrw.u32 q1, [r11], #16\n\t"                                     \
    "vldrw.u32 q2, [r11], #16\n\tvldrw.u32 q3, [r11], #16\n\t"                                     \
    "vldrw.u32 q4, [r11, #16]\n\tvldrw.u32 q5, [r11, #32]\n\t"                                     \
    "dls lr, lr\n"                                                                                 \
    "1:\n\t"                                                                                       \
    "vldrb.u8 q6, [r1]\n\tldm r11, {r0, r2, r4, r6}\n\tadd r1, r1, r8\n\t"                         \
    "vmladava.s8 r0, q6, q0\n\tvmladava.s8 r2, q6, q1\n\t"                                         \
    "vmladava.s8 r4, q6, q2\n\tvmladava.s8 r6, q6, q3\n\t"                                         \
    "vmov q6[2], q6[0], r0, r4\n\tvmov q6[3], q6[1], r2, r6\n\t"                                   \
    "vqrdmulh.s32 q6, q6, q4\n\t" away "vrshl.s32 q6, q6, q5\n\t"                                  \
    "vadd.i32 q6, q6, r5\n\tvqmovnb.s32 q6, q6\n\tvqmovnb.s16 q6, q6\n\t"                          \
    "vstrb.32 q6, [r3]\n\tadd r3, r3, r9\n\tle lr, 1b"
#define PL_MVE_SHORT_ASM(away)                                                                     \
    __asm__ volatile(PL_MVE_SHORT(away)                                                            \
                     : "+&r"(from), "+&r"(to), "+&r"(c), "+&r"(count)                              \
                     : "r"(zero_point), "r"(in_c), "r"(out_c)                                      \
                     : "r0", "r2", "r4", "r6", "q0", "q1", "q2", "q3", "q4", "q5", "q6",     \
                       "q7", "memory")
#endif

/* Four channels of `pixels` >= 1 pixels, of which 16 inputs each can be read; `group` as p->channels. */
static PL_NOINLINE void pl_pointwise_s8__mve_short_group(const int8_t *x, int8_t *y, int32_t pixels,
                                                         const int32_t *group,
                                                         const pl_pointwise_s8__mve_short_params *p)
{
#ifdef PL_MVE
    register const int8_t *from __asm__("r1") = x;
    register int8_t *to __asm__("r3") = y;
    register const int32_t *c __asm__("r11") = group;
    register int32_t zero_point __asm__("r5") = p->zero_point, count __asm__("lr") = pixels;
    register int32_t in_c __asm__("r8") = p->in_c, out_c __asm__("r9") = p->out_c;
    if (p->up) {
        PL_MVE_SHORT_ASM("");
    } else {
        PL_MVE_SHORT_ASM("vshr.s32 q7, q6, #31\n\tvadd.i32 q6, q6, q7\n\t");
    }
#else
    const int8_t *w = (const int8_t *)(const void *)group;
    for (; pixels > 0; pixels--, x += p->in_c, y += p->out_c) {
        for (int c = 0; c < 4; c++) {
            int32_t sum = group[16 + c];
            for (int i = 0; i < 16; i++) {
                sum += x[i] * w[16 * c + i];
            }
            sum = pl_requantize(sum, group[20 + c], group[24 + c], p->zero_point);
            y[c] = (int8_t)pl_clamp(sum, INT8_MIN, INT8_MAX);
        }
    }
#endif
}

static void pl_pointwise_s8__mve_short(const int8_t *x, int8_t *y, int32_t pixels,
                                       const pl_pointwise_s8__mve_short_params *p)
{
    /* Of the last pixels, 16 inputs reach behind the end: they are read from a copy. */
    const int32_t in_c = p->in_c, out_c = p->out_c;
    const int32_t near = (15 / in_c < pixels ? 15 / in_c : pixels), whole = pixels - near;
    int8_t end[32] = {0};
    const int32_t *c = p->channels;
    memcpy(end, x + (ptrdiff_t)whole * in_c, (size_t)(near * in_c));
    for (int32_t oc = 0; oc < out_c; oc += 4, c += 28) {
        int8_t *to = y + (oc < out_c - 4 ? oc : out_c - 4);
        if (whole > 0) {
            pl_pointwise_s8__mve_short_group(x, to, whole, c, p);
        }
        if (near > 0) {
            to += (ptrdiff_t)whole * out_c;
            pl_pointwise_s8__mve_short_group(end, to, near, c, p);
        }
    }
}
