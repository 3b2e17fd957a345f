#pragma once
#include "depthwise_clamp.h"

/* Depthwise convolution of int8, one output row, any window of at most PL_DWP_TAPS taps: four
 * channels of one output at a time.
 *
 *   y[ox][c] = clamp(requantize(bias[c]
 *       + sum over ky,kx of row[ky][ox*stride_w + kx*dilation_w - pad_left][c] * w[ky][kx][c]),
 *       low, high)
 *
 * rows     kernel_h pointers to input rows [in_w][in_c]; rows outside the input point to `pad`
 * y        [out_w][in_c]; must not overlap any row
 * pad      at least in_w * in_c elements, all equal to the input's zero point
 * records  for each four channels, of which the last four may overlap those before: 2 * bias of
 *          each, for each two taps (an odd last one has a second of weight 0) the doubled weights
 *          of each channel as lanes, then of each the multiplier, zero_point << shift plus 1 <<
 *          (shift - 1), and the shift
 * Bounds: in_c >= 4; |accumulator| < 2^30; shift in [1, 22].
 */
typedef struct {
    int32_t in_w, in_c, out_w;
    int32_t kernel_h, kernel_w, stride_w, dilation_w, pad_left;
    int32_t low, high;
    int32_t record; /* words of a record */
    const int8_t *pad;
    const int32_t *records;
} pl_depthwise_conv2d_s8__dsp_params;

enum { PL_DWP_TAPS = 49 };

/* Addresses of the taps of the window at column x0, the last one twice where their number is odd.
 * */
static PL_NOINLINE void pl_dwp_taps(const int8_t **taps, const void *const *rows,
                                    const pl_depthwise_conv2d_s8__dsp_params *p, int32_t x0)
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
    *taps = taps[-1];
}

#if defined(__GNUC__) && defined(__ARM_FEATURE_DSP)

/* Four channels from c on of one output. r4 .. r7: their accumulators. */
static PL_NOINLINE void pl_dwp_four(int8_t *y, const int8_t *const *taps, int32_t pairs, int32_t c,
                                    const int32_t *record)
{
    register int8_t *r0 __asm__("r0") = y;
    register const int8_t *const *r1 __asm__("r1") = taps;
    register const int8_t *const *r2 __asm__("r2") = taps + 2 * pairs;
    register int32_t r3 __asm__("r3") = c;
    register const int32_t *r12 __asm__("r12") = record;
    __asm__ volatile("push {r4-r11, lr}\n\t"
                     "mov lr, r2\n\t"
                     "ldm r12!, {r4-r7}\n"
                     "1:\n\t"
                     "ldr r8, [r1], #4\n\t"
                     "ldr r9, [r1], #4\n\t"
                     "ldr r8, [r8, r3]\n\t"
                     "ldr r9, [r9, r3]\n\t"
                     "ldm r12!, {r2, r11}\n\t"
                     "pkhbt r10, r8, r9, lsl #16\n\t"
                     "pkhtb r9, r9, r8, asr #16\n\t"
                     "sxtb16 r8, r10\n\t"
                     "sxtb16 r10, r10, ror #8\n\t"
                     "smlad r4, r8, r2, r4\n\t"
                     "smlad r5, r10, r11, r5\n\t"
                     "ldm r12!, {r2, r11}\n\t"
                     "sxtb16 r8, r9\n\t"
                     "sxtb16 r10, r9, ror #8\n\t"
                     "smlad r6, r8, r2, r6\n\t"
                     "smlad r7, r10, r11, r7\n\t"
                     "cmp r1, lr\n\t"
                     "bne 1b\n\t"
                     "ldm r12!, {r8-r11}\n\t"
                     "ldm r12!, {r1-r3, lr}\n\t"
                     "smmlar r8, r4, r8, r1\n\t"
                     "add r8, r8, r4, asr #31\n\t"
                     "smmlar r9, r5, r9, r2\n\t"
                     "add r9, r9, r5, asr #31\n\t"
                     "smmlar r10, r6, r10, r3\n\t"
                     "add r10, r10, r6, asr #31\n\t"
                     "smmlar r11, r7, r11, lr\n\t"
                     "add r11, r11, r7, asr #31\n\t"
                     "ldm r12, {r1-r3, lr}\n\t"
                     "asr r8, r8, r1\n\t"
                     "ssat r8, #8, r8\n\t"
                     "asr r9, r9, r2\n\t"
                     "ssat r9, #8, r9\n\t"
                     "asr r10, r10, r3\n\t"
                     "ssat r10, #8, r10\n\t"
                     "asr r11, r11, lr\n\t"
                     "ssat r11, #8, r11\n\t"
                     "strb r8, [r0]\n\t"
                     "strb r9, [r0, #1]\n\t"
                     "strb r10, [r0, #2]\n\t"
                     "strb r11, [r0, #3]\n\t"
                     "pop {r4-r11, lr}\n\t"
                     : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3), "+r"(r12)
                     :
                     : "cc", "memory");
}

#else

static void pl_dwp_four(int8_t *y, const int8_t *const *taps, int32_t pairs, int32_t c,
                        const int32_t *record)
{
    const int32_t *constants = record + 4 + 4 * pairs;
    for (int32_t i = 0; i < 4; i++) {
        int32_t acc = record[i];
        for (int32_t t = 0; t < 2 * pairs; t++) {
            const int32_t w = record[4 + 4 * (t / 2) + i];
            acc += taps[t][c + i] * (t % 2 ? pl_high(w) : pl_low(w));
        }
        const int32_t v = pl_smmlar(acc, constants[i], constants[4 + i]) + (acc >> 31);
        y[i] = (int8_t)pl_ssat8(v >> constants[8 + i]);
    }
}

#endif

static void pl_depthwise_conv2d_s8__dsp(const void *const *rows, int8_t *y,
                                        const pl_depthwise_conv2d_s8__dsp_params *p)
{
    const int32_t in_c = p->in_c, pairs = (p->kernel_h * p->kernel_w + 1) / 2;
    int8_t *const row = y;
    for (int32_t ox = 0; ox < p->out_w; ox++, y += in_c) {
        const int8_t *taps[PL_DWP_TAPS + 1];
        pl_dwp_taps(taps, rows, p, ox * p->stride_w - p->pad_left);
        const int32_t *record = p->records;
        for (int32_t at = 0; at < in_c; at += 4, record += p->record) {
            const int32_t c = at + 4 <= in_c ? at : in_c - 4;
            pl_dwp_four(y + c, taps, pairs, c, record);
        }
    }
    pl_dw_clamp(row, p->out_w * in_c, p->low, p->high);
}
