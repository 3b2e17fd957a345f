#pragma once
#include "clamp_f32.h"
#include "dot_f32.h"

/* Rank-factored recurrent filter bank (SVDF), one step, float32.
 *
 *   state_out[f] = state_in[f][1:], sum over i of x[i] * feature[f][i]
 *   y[u] = clamp(bias[u] + sum over f of unit u of (sum over m of state_out[f][m] * time[f][m]))
 *
 * x            [in]; y [units]; they must not overlap
 * state_in, state_out   [units * rank][memory]; the same memory, or apart
 * No scratch. Order of additions: i and m ascending from 0 per filter; filters added to the bias in order.
 */
typedef struct {
    int32_t in, units, rank, memory;
    float low, high;
    const float *feature; /* [units * rank][in] */
    const float *time;    /* [units * rank][memory] */
    const float *bias;    /* [units] */
} pl_svdf_f32_params;

static void pl_svdf_f32(const float *x, const float *state_in, float *y, float *state_out,
                        const pl_svdf_f32_params *p)
{
    const float *feature = p->feature, *time = p->time;
    for (int32_t u = 0; u < p->units; u++) {
        float total = p->bias[u];
        for (int32_t r = 0; r < p->rank; r++, feature += p->in, time += p->memory) {
            const float v = pl_dot_f32(x, feature, p->in, 0.0f);
            state_in++;
            for (int32_t m = 1; m < p->memory; m++) {
                *state_out++ = *state_in++;
            }
            *state_out++ = v;
            total += pl_dot_f32(state_out - p->memory, time, p->memory, 0.0f);
        }
        *y++ = pl_clamp_f32(total, p->low, p->high);
    }
}
