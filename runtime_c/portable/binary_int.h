#pragma once
#include "typed.h"

/* Functions of two integers or booleans, wrapping at 64 bits. Division truncates; it and remainders
 * are 0 where b is 0; mod has the sign of b, fmod that of a; left shifts by less than 0 or more
 * than 63 bits are 0, such right shifts 0 or -1, the sign. */
typedef enum {
    PL_INT_ADD,
    PL_INT_AND,
    PL_INT_BITWISE_AND,
    PL_INT_BITWISE_OR,
    PL_INT_BITWISE_XOR,
    PL_INT_DIV,
    PL_INT_FMOD,
    PL_INT_MAXIMUM,
    PL_INT_MINIMUM,
    PL_INT_MOD,
    PL_INT_MUL,
    PL_INT_OR,
    PL_INT_POW,
    PL_INT_PRELU,
    PL_INT_SHIFT_LEFT,
    PL_INT_SHIFT_RIGHT,
    PL_INT_SUB,
    PL_INT_XOR
} pl_binary_integer;

/* a to the power b modulo 2^64 by squaring; for negative b the truncated 1 / a^-b, 0 for a of 0. */
static inline int64_t pl_power_int(int64_t a, int64_t b)
{
    uint64_t result = 1, square = (uint64_t)a;
    if (b < 0) {
        return a == 1 || (a == -1 && b % 2 == 0) ? 1 : a == -1 ? -1 : 0;
    }
    for (; b > 0; b >>= 1, square *= square) {
        result *= b & 1 ? square : 1;
    }
    return (int64_t)result;
}

/* Quotients and remainders; b of 0 and -1 apart, for which the machine's division may trap. */
static PL_INLINE int64_t pl_divide_int(int64_t a, int64_t b, pl_binary_integer function)
{
    if (b == 0 || b == -1) {
        return b != 0 && function == PL_INT_DIV ? (int64_t)(0 - (uint64_t)a) : 0;
    }
    if (function == PL_INT_DIV) {
        return a / b;
    }
    const int64_t rest = a % b;
    return function == PL_INT_MOD && rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

static PL_INLINE int64_t pl_binary_value_int(int64_t a, int64_t b, pl_binary_integer function)
{
    const int inside = b >= 0 && b < 64;
    switch (function) {
    case PL_INT_ADD:
        return (int64_t)((uint64_t)a + (uint64_t)b);
    case PL_INT_SUB:
        return (int64_t)((uint64_t)a - (uint64_t)b);
    case PL_INT_MUL:
        return (int64_t)((uint64_t)a * (uint64_t)b);
    case PL_INT_PRELU:
        return a < 0 ? (int64_t)((uint64_t)a * (uint64_t)b) : a;
    case PL_INT_AND:
    case PL_INT_BITWISE_AND:
        return a & b;
    case PL_INT_OR:
    case PL_INT_BITWISE_OR:
        return a | b;
    case PL_INT_XOR:
    case PL_INT_BITWISE_XOR:
        return a ^ b;
    case PL_INT_MAXIMUM:
        return a > b ? a : b;
    case PL_INT_MINIMUM:
        return a < b ? a : b;
    case PL_INT_POW:
        return pl_power_int(a, b);
    case PL_INT_SHIFT_LEFT:
        return inside ? (int64_t)((uint64_t)a << b) : 0;
    case PL_INT_SHIFT_RIGHT:
        return a >> (inside ? b : 63);
    default:
        return pl_divide_int(a, b, function);
    }
}

/* y = function(a, b) of one type, wrapping to it, with broadcasting.
 * Aliasing: y may be an operand that is not broadcast. No scratch.
 */
static PL_INLINE void pl_binary_int(const uint8_t *a, const uint8_t *b, uint8_t *y, pl_type type,
                                    pl_binary_integer function, const pl_broadcast_params *p)
{
    int32_t iy = 0;
    for (int32_t run = 0; run < p->runs; run++) {
        int32_t ia = 0, ib = 0;
        pl_broadcast(p->outer, p->outer_dims, run, &ia, &ib);
        for (int32_t i = 0; i < p->n; i++, ia += p->step_a, ib += p->step_b) {
            const int64_t va = pl_load(a, ia, type), vb = pl_load(b, ib, type);
            pl_store(y, iy++, type, pl_binary_value_int(va, vb, function));
        }
    }
}
