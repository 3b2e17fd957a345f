#pragma once
#include "nearest_even.h"

/* Softmax of int8 [rows][depth] to int8 under an ONNX rounding, in float32.
 *
 *   e[c] = exponentials[largest of the row - x[c]]
 *   y[c] = clamp(nearest even(e[c] * steps / sum of e, added in order) + zero_y)
 *
 * exponentials  of differences 0 to 255, times one factor; steps: outputs steps of a share of 1
 * low, high     smallest and largest y minus zero_y
 * Aliasing: y may be x. No scratch. Bounds: the sum is finite and not 0.
 */
typedef struct {
    int32_t rows, depth;
    const float *exponentials; /* [256] */
    float steps, low, high;
    int32_t zero_y;
} pl_softmax_s8_onnx_params;

static void pl_softmax_s8_onnx(const int8_t *x, int8_t *y, const pl_softmax_s8_onnx_params *p)
{
    for (int32_t row = 0; row < p->rows; row++, x += p->depth, y += p->depth) {
        int32_t largest = x[0];
        for (int32_t c = 1; c < p->depth; c++) {
            largest = x[c] > largest ? x[c] : largest;
        }
        float sum = 0.0f;
        for (int32_t c = 0; c < p->depth; c++) {
            sum += p->exponentials[largest - x[c]];
        }
        for (int32_t c = 0; c < p->depth; c++) {
            const float share = p->exponentials[largest - x[c]] * p->steps / sum;
            y[c] = (int8_t)(pl_clamped_nearest_even(share, p->low, p->high) + p->zero_y);
        }
    }
}
