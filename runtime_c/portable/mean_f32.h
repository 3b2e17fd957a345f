#pragma once
#include "mean.h"

/* Mean of floats over some dimensions: y[o] = sum of the elements of x reduced to o / count.
 * x is walked as mean.h says; y [outputs] must not overlap x. No scratch.
 */
typedef struct {
    int32_t outputs, kept_dims;
    const int32_t *kept; /* [kept_dims][2] */
    int32_t runs, n, stride, outer_dims;
    const int32_t *outer; /* [outer_dims][2] */
    float count;
} pl_mean_f32_params;

static void pl_mean_f32(const float *x, float *y, const pl_mean_f32_params *p)
{
    for (int32_t o = 0; o < p->outputs; o++) {
        const float *from = x + pl_offset(p->kept, p->kept_dims, o);
        float sum = 0.0f;
        for (int32_t run = 0; run < p->runs; run++) {
            const float *v = from + pl_offset(p->outer, p->outer_dims, run);
            for (int32_t i = 0; i < p->n; i++) {
                sum += v[i * p->stride];
            }
        }
        y[o] = sum / p->count;
    }
}
