#pragma once
#include "common.h"
#include <math.h>

/* Layer normalization of floats: rows brought to mean 0 and variance 1.
 *
 *   y[row][i] = (x[row][i] - m) / sqrt(mean of (x[row][k] - m)^2 + epsilon) * scale[i] + bias[i]
 *   m = mean of x[row][k], or 0 when not centred; scale may be NULL for 1, bias for 0
 *
 * x, y [rows][n]. Aliasing: y may be x. No scratch. Uses sqrtf of libm.
 */
typedef struct {
    int32_t rows, n, centred;
    float epsilon;
} pl_layer_normalization_f32_params;

static void pl_layer_normalization_f32(const float *x, const float *scale, const float *bias,
                                       float *y, const pl_layer_normalization_f32_params *p)
{
    const float n = (float)p->n;
    for (int32_t row = 0; row < p->rows; row++, x += p->n, y += p->n) {
        float mean = 0.0f, variance = 0.0f;
        for (int32_t i = 0; i < p->n && p->centred; i++) {
            mean += x[i];
        }
        mean /= n;
        for (int32_t i = 0; i < p->n; i++) {
            variance += (x[i] - mean) * (x[i] - mean);
        }
        const float deviation = sqrtf(variance / n + p->epsilon);
        for (int32_t i = 0; i < p->n; i++) {
            const float normal = (x[i] - mean) / deviation;
            y[i] = normal * (scale ? scale[i] : 1.0f) + (bias ? bias[i] : 0.0f);
        }
    }
}
