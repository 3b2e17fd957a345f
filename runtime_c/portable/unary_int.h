#pragma once
#include "typed.h"

/* Functions of one integer or bool. */
typedef enum {
    PL_INT_ABS,
    PL_INT_BITWISE_NOT,
    PL_INT_NEG,
    PL_INT_NOT,
    PL_INT_SIGN
} pl_unary_integer;

/* y[i] = function(x[i]), n elements of one type, wrapping to it.
 * Aliasing: y may be x. No scratch.
 */
static PL_INLINE void pl_unary_int(const uint8_t *x, uint8_t *y, int32_t n, pl_type type,
                                   pl_unary_integer function)
{
    for (int32_t i = 0; i < n; i++) {
        const int64_t v = pl_load(x, i, type);
        const int64_t negative = (int64_t)(0 - (uint64_t)v);
        const int64_t result = function == PL_INT_ABS           ? (v < 0 ? negative : v)
                               : function == PL_INT_BITWISE_NOT ? ~v
                               : function == PL_INT_NEG         ? negative
                               : function == PL_INT_NOT         ? v == 0
                                                                : (v > 0) - (v < 0);
        pl_store(y, i, type, result);
    }
}
