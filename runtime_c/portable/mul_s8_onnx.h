#pragma once
#include "elementwise.h"
#include "nearest_even.h"

/* Product of int8 tensors with broadcasting, under an ONNX rounding.
 *
 *   y = clamp(nearest even(float32((a - zero_a) * (b - zero_b)) * factor + (zero_y + offset)) - offset)
 *
 * Product and sum are rounded to float32 each. offset is 128 for values that were uint8, else 0; zero_y,
 * low and high hold it already.
 * The output is `runs` runs of n elements; within a run operand a advances by step_a (0 or 1) and b
 * by step_b, between runs as pl_broadcast says.
 * Aliasing: y may be an operand that is not broadcast. No scratch. Bounds: none.
 */
typedef struct {
    int32_t runs, n, step_a, step_b, outer_dims;
    const int32_t *outer; /* [outer_dims][3] */
    int32_t zero_a, zero_b, offset;
    float factor, zero_y, low, high;
} pl_mul_s8_onnx_params;

static void pl_mul_s8_onnx(const int8_t *a, const int8_t *b, int8_t *y, const pl_mul_s8_onnx_params *p)
{
    for (int32_t run = 0; run < p->runs; run++) {
        int32_t ia = 0, ib = 0;
        pl_broadcast(p->outer, p->outer_dims, run, &ia, &ib);
        for (int32_t i = 0; i < p->n; i++, ia += p->step_a, ib += p->step_b) {
            const int32_t product = (a[ia] - p->zero_a) * (b[ib] - p->zero_b);
            const float scaled = (float)product * p->factor;
            const float v = scaled + p->zero_y;
            *y++ = (int8_t)(pl_clamped_nearest_even(v, p->low, p->high) - p->offset);
        }
    }
}
