#pragma once
#include "common.h"
#include <math.h>

/* Local response normalization of floats across channels.
 *
 *   y[i][c] = x[i][c] / (bias + alpha * sum over k of x[i][k]^2) ^ beta,
 *   max(0, c - before) <= k <= min(channels - 1, c + after)
 *
 * x, y [positions][channels]; they must not overlap. No scratch. Uses powf of libm.
 */
typedef struct {
    int32_t positions, channels, before, after;
    float alpha, beta, bias; /* alpha is divided by the size of the window already */
} pl_lrn_f32_params;

static void pl_lrn_f32(const float *x, float *y, const pl_lrn_f32_params *p)
{
    for (int32_t i = 0; i < p->positions; i++, x += p->channels) {
        for (int32_t c = 0; c < p->channels; c++) {
            const int32_t first = c > p->before ? c - p->before : 0;
            const int32_t last = p->after < p->channels - 1 - c ? c + p->after : p->channels - 1;
            float sum = 0.0f;
            for (int32_t k = first; k <= last; k++) {
                sum += x[k] * x[k];
            }
            *y++ = x[c] / powf(p->bias + p->alpha * sum, p->beta);
        }
    }
}
