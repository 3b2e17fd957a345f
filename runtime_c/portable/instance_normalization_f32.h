#pragma once
#include "common.h"
#include <math.h>

/* Instance and group normalization of floats, channels last.
 *
 *   y[item][i][c] = (x[item][i][c] - m) / sqrt(v + epsilon) * scale[c] + bias[c]
 *   m, v  mean and variance over all positions i and the channels of c's group, of which there are
 *         channels / groups in a row
 *
 * x, y [items][positions][channels]. Aliasing: y may be x. No scratch. Uses sqrtf of libm.
 */
typedef struct {
    int32_t items, positions, channels, groups;
    float epsilon;
} pl_instance_normalization_f32_params;

/* Sum over one group of (x - mean)^power, power 1 or 2. */
static inline float pl_group_sum(const float *x, float mean, int32_t power, int32_t run,
                                 const pl_instance_normalization_f32_params *p)
{
    float sum = 0.0f;
    for (int32_t i = 0; i < p->positions; i++, x += p->channels) {
        for (int32_t c = 0; c < run; c++) {
            const float v = x[c] - mean;
            sum += power == 1 ? v : v * v;
        }
    }
    return sum;
}

static void pl_instance_normalization_f32(const float *x, const float *scale, const float *bias,
                                          float *y, const pl_instance_normalization_f32_params *p)
{
    const int32_t run = p->channels / p->groups;
    const float count = (float)run * (float)p->positions;
    for (int32_t item = 0; item < p->items; item++) {
        for (int32_t first = 0; first < p->channels; first += run) {
            const ptrdiff_t start = (ptrdiff_t)item * p->positions * p->channels + first;
            const float mean = pl_group_sum(x + start, 0.0f, 1, run, p) / count;
            const float variance = pl_group_sum(x + start, mean, 2, run, p) / count;
            const float deviation = sqrtf(variance + p->epsilon);
            for (int32_t i = 0; i < p->positions; i++) {
                const ptrdiff_t at = start + (ptrdiff_t)i * p->channels;
                for (int32_t c = 0; c < run; c++) {
                    const float normal = (x[at + c] - mean) / deviation;
                    y[at + c] = normal * scale[first + c] + bias[first + c];
                }
            }
        }
    }
}
