#pragma once
#include "mean.h"
#include "typed.h"

/* Reductions of integers or bool over some dimensions. */
typedef enum {
    PL_REDUCE_INT_L1,
    PL_REDUCE_INT_MAX,
    PL_REDUCE_INT_MIN,
    PL_REDUCE_INT_PROD,
    PL_REDUCE_INT_SUM,
    PL_REDUCE_INT_SUM_SQUARE
} pl_reduction_integer;

/* x is walked as mean.h says: `kept` leads to the elements of an output, `runs` runs of n elements,
 * `stride` apart, `outer` between runs. */
typedef struct {
    int32_t outputs, kept_dims;
    const int32_t *kept; /* [kept_dims][2] */
    int32_t runs, n, stride, outer_dims;
    const int32_t *outer; /* [outer_dims][2] */
} pl_reduce_int_params;

/* `total` with v, wrapping at 64 bits. */
static PL_INLINE int64_t pl_reduce_step_int(int64_t total, int64_t v, pl_reduction_integer function)
{
    const uint64_t sum = (uint64_t)total, term = (uint64_t)v;
    switch (function) {
    case PL_REDUCE_INT_L1:
        return (int64_t)(v < 0 ? sum - term : sum + term);
    case PL_REDUCE_INT_MAX:
        return v > total ? v : total;
    case PL_REDUCE_INT_MIN:
        return v < total ? v : total;
    case PL_REDUCE_INT_PROD:
        return (int64_t)(sum * term);
    case PL_REDUCE_INT_SUM:
        return (int64_t)(sum + term);
    default:
        return (int64_t)(sum + term * term);
    }
}

/* y[o] = reduction of the elements of x that belong to o, in 64 bits, wrapped to the type.
 * y [outputs] must not overlap x. No scratch.
 */
static PL_INLINE void pl_reduce_int(const uint8_t *x, uint8_t *y, pl_type type,
                                    pl_reduction_integer function, const pl_reduce_int_params *p)
{
    const int choice = function == PL_REDUCE_INT_MAX || function == PL_REDUCE_INT_MIN;
    for (int32_t o = 0; o < p->outputs; o++) {
        const int32_t from = pl_offset(p->kept, p->kept_dims, o);
        int64_t total = choice ? pl_load(x, from, type) : function == PL_REDUCE_INT_PROD;
        for (int32_t run = 0; run < p->runs; run++) {
            const int32_t at = from + pl_offset(p->outer, p->outer_dims, run);
            for (int32_t i = 0; i < p->n; i++) {
                const int64_t v = pl_load(x, at + i * p->stride, type);
                total = pl_reduce_step_int(total, v, function);
            }
        }
        pl_store(y, o, type, total);
    }
}
