#pragma once
#include "dot_s8.h"

/* Rank-factored recurrent filter bank (SVDF), one step, int8 with an int16 state.
 *
 *   state_out[f] = state_in[f][1:], clamp(requantize(feature_bias[f] + sum over i of x[i] * feature[f][i]))
 *   y[u] = clamp(requantize(bias[u] + sum over f of unit u, over m, of state_out[f][m] * time[f][m]))
 *
 * x            [in]; y [units]; they must not overlap
 * state_in, state_out   [units * rank][memory]; the same memory, or apart; zero point 0
 * feature_bias has -zero point of x * sum(feature) merged in
 * shift        <= 0
 * No scratch. Bounds: the feature accumulator is < 2^30 in size for any input (proven when the code was
 * generated); the other is an int32 that wraps around, as in the reference, hence unsigned here.
 */
typedef struct {
    int32_t in, units, rank, memory;
    int32_t feature_multiplier, feature_shift, state_zero;
    int32_t multiplier, shift, zero_point;
    const int8_t *feature;       /* [units * rank][in] */
    const int32_t *feature_bias; /* [units * rank] */
    const int16_t *time;         /* [units * rank][memory] */
    const int32_t *bias;         /* [units] */
} pl_svdf_s8_state16_params;

/* As pl_requantize for any int32 accumulator and shift <= 0. */
static inline int32_t pl_requantize_wide(int32_t acc, int32_t multiplier, int32_t shift,
                                         int32_t zero_point)
{
    const int32_t high = (int32_t)(((int64_t)acc * multiplier + (1 << 30)) >> 31);
    const int32_t half = (int32_t)((1u << -shift) >> 1);
    const int32_t sign = shift < 0 ? high >> 31 : 0;
    return (int32_t)(((int64_t)high + sign + half) >> -shift) + zero_point;
}

static void pl_svdf_s8_state16(const int8_t *x, const int16_t *state_in, int8_t *y,
                               int16_t *state_out, const pl_svdf_s8_state16_params *p)
{
    const int8_t *feature = p->feature;
    const int16_t *time = p->time;
    const int32_t *feature_bias = p->feature_bias;
    for (int32_t u = 0; u < p->units; u++) {
        uint32_t acc = (uint32_t)p->bias[u];
        for (int32_t r = 0; r < p->rank; r++, feature += p->in) {
            int32_t v = pl_dot_s8(x, feature, p->in, *feature_bias++);
            v = pl_requantize(v, p->feature_multiplier, p->feature_shift, p->state_zero);
            v = pl_clamp(v, -32768, 32767);
            state_in++;
            for (int32_t m = 1; m < p->memory; m++) {
                const int16_t kept = *state_in++;
                *state_out++ = kept;
                acc += (uint32_t)(kept * *time++);
            }
            *state_out++ = (int16_t)v;
            acc += (uint32_t)(v * *time++);
        }
        const int32_t out = pl_requantize_wide((int32_t)acc, p->multiplier, p->shift, p->zero_point);
        *y++ = (int8_t)pl_clamp(out, -128, 127);
    }
}
