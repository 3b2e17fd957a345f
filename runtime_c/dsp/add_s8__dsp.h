#pragma once
#include "broadcast.h"

/* Sum or difference of int8 tensors with broadcasting.
 *
 *   y = saturate((offset + (factor_a * a >> 8) + (factor_b * b >> 8)) >> 20)
 *
 * which equals the portable kernel for all 65536 pairs of operands (checked when the code was
 * generated). The output is `runs` runs of n elements; within a run operand a advances by step_a (0
 * or 1) and b by step_b, between runs as pl_broadcast says.
 * Aliasing: y may be an operand that is not broadcast. No scratch.
 * Bounds: every sum is below 2^31.
 */
typedef struct {
    int32_t runs, n, step_a, step_b, outer_dims;
    const int32_t *outer; /* [outer_dims][3] */
    int32_t factor_a, factor_b, offset;
} pl_add_s8__dsp_params;

enum { PL_ODD_BYTES = -0xFF0100 }; /* 0xFF00FF00 */

#if defined(__GNUC__) && defined(__ARM_FEATURE_DSP)

/* acc + (a * low(b) >> 16). */
static inline int32_t pl_smlawb(int32_t a, int32_t b, int32_t acc)
{
    int32_t r;
    __asm__("smlawb %0, %1, %2, %3" : "=r"(r) : "r"(a), "r"(b), "r"(acc));
    return r;
}

/* acc + (a * high(b) >> 16). */
static inline int32_t pl_smlawt(int32_t a, int32_t b, int32_t acc)
{
    int32_t r;
    __asm__("smlawt %0, %1, %2, %3" : "=r"(r) : "r"(a), "r"(b), "r"(acc));
    return r;
}

/* v >> 20 saturated to int8. */
static inline int8_t pl_ssat8_asr20(int32_t v)
{
    int32_t r;
    __asm__("ssat %0, #8, %1, asr #20" : "=r"(r) : "r"(v) : "cc");
    return (int8_t)r;
}

#else

static inline int32_t pl_smlawb(int32_t a, int32_t b, int32_t acc)
{
    return acc + (int32_t)((int64_t)a * pl_low(b) >> 16);
}

static inline int32_t pl_smlawt(int32_t a, int32_t b, int32_t acc)
{
    return acc + (int32_t)((int64_t)a * pl_high(b) >> 16);
}

static inline int8_t pl_ssat8_asr20(int32_t v)
{
    return (int8_t)pl_ssat8(v >> 20);
}

#endif

/* Bytes 0 and 2 as upper bytes of lanes whose lower bytes are 0. */
static inline int32_t pl_even_bytes(int32_t v)
{
    return (int32_t)((uint32_t)v << 8) & PL_ODD_BYTES;
}

/* n elements; where an operand does not advance (step 0) it points to four copies of its element.
 * */
static PL_NOINLINE void pl_add_run(const int8_t *a, int32_t step_a, const int8_t *b, int32_t step_b,
                                   int8_t *y, int32_t n, const pl_add_s8__dsp_params *p)
{
    const int32_t factor_a = p->factor_a, factor_b = p->factor_b, offset = p->offset;
    for (int8_t *const end = y + (n & ~3); y < end; y += 4) {
        const int32_t va = pl_ld32(a), vb = pl_ld32(b);
        a += 4 * step_a;
        b += 4 * step_b;
        const int32_t a0 = pl_even_bytes(va), a1 = va & PL_ODD_BYTES;
        const int32_t b0 = pl_even_bytes(vb), b1 = vb & PL_ODD_BYTES;
        y[0] = pl_ssat8_asr20(pl_smlawb(factor_b, b0, pl_smlawb(factor_a, a0, offset)));
        y[1] = pl_ssat8_asr20(pl_smlawb(factor_b, b1, pl_smlawb(factor_a, a1, offset)));
        y[2] = pl_ssat8_asr20(pl_smlawt(factor_b, b0, pl_smlawt(factor_a, a0, offset)));
        y[3] = pl_ssat8_asr20(pl_smlawt(factor_b, b1, pl_smlawt(factor_a, a1, offset)));
    }
    for (int32_t left = n & 3; left > 0; left--, a += step_a, b += step_b) {
        const int32_t part = pl_smlawb(factor_a, *a * 256, offset);
        *y++ = pl_ssat8_asr20(pl_smlawb(factor_b, *b * 256, part));
    }
}

static void pl_add_s8__dsp(const int8_t *a, const int8_t *b, int8_t *y,
                           const pl_add_s8__dsp_params *p)
{
    int8_t four_a[4], four_b[4];
    for (int32_t run = 0; run < p->runs; run++, y += p->n) {
        int32_t ia = 0, ib = 0;
        pl_broadcast(p->outer, p->outer_dims, run, &ia, &ib);
        const int8_t *from_a = pl_four_of(a + ia, p->step_a, four_a);
        const int8_t *from_b = pl_four_of(b + ib, p->step_b, four_b);
        pl_add_run(from_a, p->step_a, from_b, p->step_b, y, p->n, p);
    }
}
