#pragma once
#include "typed.h"
#include <math.h>

/* Functions of two floats: a / b, the remainder of it with a's or with b's sign, a to the power b,
 * and a with negative values times b. */
typedef enum {
    PL_BINARY_DIV,
    PL_BINARY_FMOD,
    PL_BINARY_MOD,
    PL_BINARY_POW,
    PL_BINARY_PRELU
} pl_binary;

/* The remainder of a / b that has b's sign, or is 0. */
static PL_INLINE float pl_mod_f32(float a, float b)
{
    const float rest = fmodf(a, b);
    return rest != 0.0f && (rest < 0.0f) != (b < 0.0f) ? rest + b : rest;
}

/* y = function(a, b) with broadcasting.
 * Aliasing: y may be an operand that is not broadcast. No scratch.
 */
static PL_INLINE void pl_binary_f32(const float *a, const float *b, float *y, pl_binary function,
                                    const pl_broadcast_params *p)
{
    for (int32_t run = 0; run < p->runs; run++) {
        int32_t ia = 0, ib = 0;
        pl_broadcast(p->outer, p->outer_dims, run, &ia, &ib);
        for (int32_t i = 0; i < p->n; i++, ia += p->step_a, ib += p->step_b) {
            const float va = a[ia], vb = b[ib];
            *y++ = function == PL_BINARY_DIV    ? va / vb
                   : function == PL_BINARY_FMOD ? fmodf(va, vb)
                   : function == PL_BINARY_MOD  ? pl_mod_f32(va, vb)
                   : function == PL_BINARY_POW  ? powf(va, vb)
                   : va < 0.0f                  ? va * vb
                                                : va;
        }
    }
}
