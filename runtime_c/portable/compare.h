#pragma once
#include "typed.h"

/* Comparisons of two elements. */
typedef enum { PL_EQUAL, PL_GREATER, PL_GREATER_EQUAL, PL_LESS, PL_LESS_EQUAL } pl_comparison;

/* y = 1 where a and b, of one type, compare as asked, else 0, with broadcasting; y holds bytes.
 * Aliasing: y may be an operand that is not broadcast. No scratch.
 */
static PL_INLINE void pl_compare(const uint8_t *a, const uint8_t *b, uint8_t *y, pl_type type,
                                 pl_comparison comparison, const pl_broadcast_params *p)
{
    for (int32_t run = 0; run < p->runs; run++) {
        int32_t ia = 0, ib = 0;
        pl_broadcast(p->outer, p->outer_dims, run, &ia, &ib);
        for (int32_t i = 0; i < p->n; i++, ia += p->step_a, ib += p->step_b) {
            const int below = comparison == PL_LESS || comparison == PL_LESS_EQUAL
                                  ? pl_less(a, ia, b, ib, type)
                                  : pl_less(b, ib, a, ia, type);
            const int level = pl_same(a, ia, b, ib, type);
            *y++ = comparison == PL_EQUAL                              ? level
                   : comparison == PL_LESS || comparison == PL_GREATER ? below
                                                                       : below || level;
        }
    }
}
