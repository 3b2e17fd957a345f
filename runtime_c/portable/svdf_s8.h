#pragma once
#include "dot_s8.h"

/* Rank-factored recurrent filter bank (SVDF), one step, int8 with an int8 state.
 *
 *   state_out[f] = state_in[f][1:], clamp(requantize(feature_bias[f] + sum over i of x[i] * feature[f][i]))
 *   y[u] = clamp(requantize(bias[u] + sum over f of unit u, over m, of state_out[f][m] * time[f][m]))
 *
 * x            [in]; y [units]; they must not overlap
 * state_in, state_out   [units * rank][memory]; the same memory, or apart
 * feature_bias has -zero point of x * sum(feature) merged in, bias -state_zero * sum(time)
 * No scratch. Bounds: both accumulators < 2^30 in size for any input (proven when the code was generated).
 */
typedef struct {
    int32_t in, units, rank, memory;
    int32_t feature_multiplier, feature_shift, state_zero;
    int32_t multiplier, shift, zero_point;
    const int8_t *feature;       /* [units * rank][in] */
    const int32_t *feature_bias; /* [units * rank] */
    const int8_t *time;          /* [units * rank][memory] */
    const int32_t *bias;         /* [units] */
} pl_svdf_s8_params;

static void pl_svdf_s8(const int8_t *x, const int8_t *state_in, int8_t *y, int8_t *state_out,
                       const pl_svdf_s8_params *p)
{
    const int8_t *feature = p->feature, *time = p->time;
    const int32_t *feature_bias = p->feature_bias;
    for (int32_t u = 0; u < p->units; u++) {
        int32_t acc = p->bias[u];
        for (int32_t r = 0; r < p->rank; r++, feature += p->in) {
            int32_t v = pl_dot_s8(x, feature, p->in, *feature_bias++);
            v = pl_requantize(v, p->feature_multiplier, p->feature_shift, p->state_zero);
            v = pl_clamp(v, -128, 127);
            state_in++;
            for (int32_t m = 1; m < p->memory; m++) {
                const int8_t kept = *state_in++;
                *state_out++ = kept;
                acc += kept * *time++;
            }
            *state_out++ = (int8_t)v;
            acc += v * *time++;
        }
        *y++ = (int8_t)pl_clamp(pl_requantize(acc, p->multiplier, p->shift, p->zero_point), -128, 127);
    }
}
