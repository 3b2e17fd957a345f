#pragma once
#include "elementwise.h"
#include "nearest_even.h"

/* Sum of int8 tensors with broadcasting, under an ONNX rounding.
 *
 *   y = clamp(nearest even(fused(a + offset, factor_a, fused(b + offset, factor_b, rest))) - offset)
 *
 * with fused(x, f, s) = x * f + s rounded once to float32; rest holds the zero points. offset is 128 for
 * values that were uint8, else 0.
 * The output is `runs` runs of n elements; within a run operand a advances by step_a (0 or 1) and b
 * by step_b, between runs as pl_broadcast says.
 * Aliasing: y may be an operand that is not broadcast. No scratch.
 * Bounds: factors in [2^-12, 2^8]: every sum is a multiple of 2^-35 and below 2^18.
 */
typedef struct {
    int32_t runs, n, step_a, step_b, outer_dims;
    const int32_t *outer; /* [outer_dims][3] */
    float factor_a, factor_b, rest;
    int32_t offset, low, high;
} pl_add_s8_onnx_params;

/* x * factor + addend, rounded once; by the bounds above doubles hold product and sum exactly. */
static inline float pl_fused_s8_onnx(int32_t x, float factor, float addend)
{
#if defined(__FP_FAST_FMAF)
    return __builtin_fmaf((float)x, factor, addend);
#else
    return (float)((double)x * (double)factor + (double)addend);
#endif
}

static void pl_add_s8_onnx(const int8_t *a, const int8_t *b, int8_t *y, const pl_add_s8_onnx_params *p)
{
    for (int32_t run = 0; run < p->runs; run++) {
        int32_t ia = 0, ib = 0;
        pl_broadcast(p->outer, p->outer_dims, run, &ia, &ib);
        for (int32_t i = 0; i < p->n; i++, ia += p->step_a, ib += p->step_b) {
            const float part = pl_fused_s8_onnx(b[ib] + p->offset, p->factor_b, p->rest);
            const float sum = pl_fused_s8_onnx(a[ia] + p->offset, p->factor_a, part);
            *y++ = (int8_t)pl_clamp(pl_nearest_even(sum) - p->offset, p->low, p->high);
        }
    }
}
