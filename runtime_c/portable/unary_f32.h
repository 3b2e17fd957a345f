#pragma once
#include "common.h"
#include <math.h>

/* Functions of one float; alpha and beta as ir/ops/unary.py says. */
typedef enum {
    PL_UNARY_ABS,
    PL_UNARY_ACOS,
    PL_UNARY_ACOSH,
    PL_UNARY_ASIN,
    PL_UNARY_ASINH,
    PL_UNARY_ATAN,
    PL_UNARY_ATANH,
    PL_UNARY_CEIL,
    PL_UNARY_CELU,
    PL_UNARY_CLIP,
    PL_UNARY_COS,
    PL_UNARY_COSH,
    PL_UNARY_ELU,
    PL_UNARY_ERF,
    PL_UNARY_EXP,
    PL_UNARY_FLOOR,
    PL_UNARY_GELU,
    PL_UNARY_GELU_TANH,
    PL_UNARY_HARD_SIGMOID,
    PL_UNARY_LOG,
    PL_UNARY_MISH,
    PL_UNARY_NEG,
    PL_UNARY_POW,
    PL_UNARY_RECIPROCAL,
    PL_UNARY_ROUND,
    PL_UNARY_SELU,
    PL_UNARY_SHRINK,
    PL_UNARY_SIGN,
    PL_UNARY_SIN,
    PL_UNARY_SINH,
    PL_UNARY_SOFTPLUS,
    PL_UNARY_SOFTSIGN,
    PL_UNARY_SQRT,
    PL_UNARY_SWISH,
    PL_UNARY_TAN,
    PL_UNARY_THRESHOLDED_RELU
} pl_unary;

/* log(1 + exp(v)) without overflow. */
static PL_INLINE float pl_softplus_f32(float v)
{
    return (v > 0.0f ? v : 0.0f) + log1pf(expf(-fabsf(v)));
}

/* alpha * (exp(v) - 1) below 0, else v. */
static PL_INLINE float pl_elu_f32(float v, float alpha)
{
    return v < 0.0f ? alpha * expm1f(v) : v;
}

/* Functions of libm. */
static PL_INLINE float pl_math_f32(float v, pl_unary function)
{
    switch (function) {
    case PL_UNARY_ACOS:
        return acosf(v);
    case PL_UNARY_ACOSH:
        return acoshf(v);
    case PL_UNARY_ASIN:
        return asinf(v);
    case PL_UNARY_ASINH:
        return asinhf(v);
    case PL_UNARY_ATAN:
        return atanf(v);
    case PL_UNARY_ATANH:
        return atanhf(v);
    case PL_UNARY_CEIL:
        return ceilf(v);
    case PL_UNARY_COS:
        return cosf(v);
    case PL_UNARY_COSH:
        return coshf(v);
    case PL_UNARY_ERF:
        return erff(v);
    case PL_UNARY_EXP:
        return expf(v);
    case PL_UNARY_FLOOR:
        return floorf(v);
    case PL_UNARY_LOG:
        return logf(v);
    case PL_UNARY_ROUND:
        return rintf(v); /* in the default mode: halves to even */
    case PL_UNARY_SIN:
        return sinf(v);
    case PL_UNARY_SINH:
        return sinhf(v);
    case PL_UNARY_SQRT:
        return sqrtf(v);
    case PL_UNARY_TAN:
        return tanf(v);
    default:
        return fabsf(v);
    }
}

/* Function of one float. */
static PL_INLINE float pl_unary_value_f32(float v, pl_unary function, float alpha, float beta)
{
    switch (function) {
    case PL_UNARY_CELU:
        return v < 0.0f ? alpha * expm1f(v / alpha) : v;
    case PL_UNARY_CLIP: {
        const float raised = v < alpha ? alpha : v;
        return raised > beta ? beta : raised;
    }
    case PL_UNARY_ELU:
        return pl_elu_f32(v, alpha);
    case PL_UNARY_GELU:
        return 0.5f * v * (1.0f + erff(v * 0.707106781f));
    case PL_UNARY_GELU_TANH:
        return 0.5f * v * (1.0f + tanhf(0.797884561f * (v + 0.044715f * v * v * v)));
    case PL_UNARY_HARD_SIGMOID: {
        const float line = alpha * v + beta;
        return line < 0.0f ? 0.0f : line > 1.0f ? 1.0f : line;
    }
    case PL_UNARY_MISH:
        return v * tanhf(pl_softplus_f32(v));
    case PL_UNARY_NEG:
        return -v;
    case PL_UNARY_POW:
        return powf(v, alpha);
    case PL_UNARY_RECIPROCAL:
        return 1.0f / v;
    case PL_UNARY_SELU:
        return beta * pl_elu_f32(v, alpha);
    case PL_UNARY_SHRINK:
        return v < -alpha ? v + beta : v > alpha ? v - beta : 0.0f;
    case PL_UNARY_SIGN:
        return v > 0.0f ? 1.0f : v < 0.0f ? -1.0f : v;
    case PL_UNARY_SOFTPLUS:
        return pl_softplus_f32(v);
    case PL_UNARY_SOFTSIGN:
        return v / (1.0f + fabsf(v));
    case PL_UNARY_SWISH:
        return v / (1.0f + expf(-alpha * v));
    case PL_UNARY_THRESHOLDED_RELU:
        return v > alpha ? v : 0.0f;
    default:
        return pl_math_f32(v, function);
    }
}

/* y[i] = function(x[i]), n floats. Aliasing: y may be x. No scratch. */
static PL_INLINE void pl_unary_f32(const float *x, float *y, int32_t n, pl_unary function,
                                   float alpha, float beta)
{
    for (int32_t i = 0; i < n; i++) {
        y[i] = pl_unary_value_f32(x[i], function, alpha, beta);
    }
}
