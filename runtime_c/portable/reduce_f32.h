#pragma once
#include "mean.h"
#include <math.h>

/* Reductions of floats over some dimensions. */
typedef enum {
    PL_REDUCE_L1,
    PL_REDUCE_L2,
    PL_REDUCE_LOG_SUM,
    PL_REDUCE_LOG_SUM_EXP,
    PL_REDUCE_MAX,
    PL_REDUCE_MIN,
    PL_REDUCE_PROD,
    PL_REDUCE_SUM,
    PL_REDUCE_SUM_SQUARE
} pl_reduction;

/* x is walked as mean.h says: `kept` leads to the elements of an output, `runs` runs of n elements,
 * `stride` apart, `outer` between runs. */
typedef struct {
    int32_t outputs, kept_dims;
    const int32_t *kept; /* [kept_dims][2] */
    int32_t runs, n, stride, outer_dims;
    const int32_t *outer; /* [outer_dims][2] */
} pl_reduce_f32_params;

/* `total` with v; `largest` is taken out of exponents. Not-a-number stays. */
static PL_INLINE float pl_reduce_step_f32(float total, float v, pl_reduction function,
                                          float largest)
{
    switch (function) {
    case PL_REDUCE_L1:
        return total + fabsf(v);
    case PL_REDUCE_L2:
    case PL_REDUCE_SUM_SQUARE:
        return total + v * v;
    case PL_REDUCE_LOG_SUM_EXP:
        return total + expf(v - largest);
    case PL_REDUCE_MAX:
        return v > total || v != v ? v : total;
    case PL_REDUCE_MIN:
        return v < total || v != v ? v : total;
    case PL_REDUCE_PROD:
        return total * v;
    default:
        return total + v;
    }
}

/* The elements that belong to one output, at `x`, put together. */
static PL_INLINE float pl_reduce_all_f32(const float *x, const pl_reduce_f32_params *p,
                                         pl_reduction function, float largest)
{
    const int choice = function == PL_REDUCE_MAX || function == PL_REDUCE_MIN;
    float total = choice ? x[0] : function == PL_REDUCE_PROD ? 1.0f : 0.0f;
    for (int32_t run = 0; run < p->runs; run++) {
        const float *v = x + pl_offset(p->outer, p->outer_dims, run);
        for (int32_t i = 0; i < p->n; i++) {
            total = pl_reduce_step_f32(total, v[i * p->stride], function, largest);
        }
    }
    return total;
}

/* y[o] = reduction of the elements of x that belong to o; y [outputs] must not overlap x.
 * The largest element is taken out of the exponents of log(sum(exp)), so that nothing overflows.
 * No scratch.
 */
static PL_INLINE void pl_reduce_f32(const float *x, float *y, pl_reduction function,
                                    const pl_reduce_f32_params *p)
{
    for (int32_t o = 0; o < p->outputs; o++) {
        const float *from = x + pl_offset(p->kept, p->kept_dims, o);
        float largest = 0.0f;
        if (function == PL_REDUCE_LOG_SUM_EXP) {
            largest = pl_reduce_all_f32(from, p, PL_REDUCE_MAX, 0.0f);
            /* infinities and NaN minus themselves are NaN */
            largest = largest - largest == 0.0f ? largest : 0.0f;
        }
        const float total = pl_reduce_all_f32(from, p, function, largest);
        y[o] = function == PL_REDUCE_L2            ? sqrtf(total)
               : function == PL_REDUCE_LOG_SUM     ? logf(total)
               : function == PL_REDUCE_LOG_SUM_EXP ? logf(total) + largest
                                                   : total;
    }
}
