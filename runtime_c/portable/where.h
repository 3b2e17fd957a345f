#pragma once
#include "common.h"

/* y = a where the condition (bytes, 0 or 1) is not 0, else b; elements of `bytes` bytes, with
 * broadcasting.
 *
 * The output is `runs` runs of n elements; `outer` holds (count, stride of the condition, of a, of
 * b) per dimension outside a run, innermost first, and `steps` these strides within a run, all in
 * elements.
 * Aliasing: y may be a or b where it is not broadcast. No scratch.
 */
typedef struct {
    int32_t runs, n, outer_dims;
    const int32_t *outer; /* [outer_dims][4] */
    int32_t steps[3];
} pl_where_params;

static PL_INLINE void pl_where(const uint8_t *condition, const uint8_t *a, const uint8_t *b,
                               uint8_t *y, int32_t bytes, const pl_where_params *p)
{
    for (int32_t run = 0; run < p->runs; run++) {
        int32_t at[3] = {0, 0, 0};
        int32_t rest = run;
        for (int32_t d = 0; d < p->outer_dims; d++) {
            const int32_t *dim = p->outer + 4 * d;
            const int32_t i = rest % dim[0];
            rest /= dim[0];
            at[0] += i * dim[1];
            at[1] += i * dim[2];
            at[2] += i * dim[3];
        }
        for (int32_t i = 0; i < p->n; i++, y += bytes) {
            const uint8_t *from = condition[at[0]] ? a + (ptrdiff_t)at[1] * bytes
                                                   : b + (ptrdiff_t)at[2] * bytes;
            memmove(y, from, (size_t)bytes);
            at[0] += p->steps[0];
            at[1] += p->steps[1];
            at[2] += p->steps[2];
        }
    }
}
