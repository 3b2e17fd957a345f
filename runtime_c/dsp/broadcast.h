#pragma once
#include "../portable/elementwise.h"
#include "common_dsp.h"

/* Four elements of an operand from `x` on, or (step 0: the same element for a whole run) four
 * copies of one, made in copies[4]. */
static inline const int8_t *pl_four_of(const int8_t *x, int32_t step, int8_t *copies)
{
    if (step) {
        return x;
    }
    memset(copies, *x, 4);
    return copies;
}
