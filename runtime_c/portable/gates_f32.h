#pragma once
#include "dot_f32.h"
#include <math.h>

/* What recurrent layers of floats share: functions and sums of gates, the walk over a sequence. */

/* Sizes of a layer; a sequence is walked backwards in direction d where reverse + d is odd.
 *
 * x         [steps][batch][inputs]
 * y         [steps][directions][batch][hidden]; states [directions][batch][hidden]
 * weights   [directions][gates * hidden][inputs]; recurrence [directions][gates * hidden][hidden]
 * bias      [directions][2][gates * hidden] or NULL
 * clip      sums are clipped to [-clip, clip] before each function of a gate
 * codes     the functions of each direction, by their places in the alphabetical list of names
 */
typedef struct {
    int32_t steps, batch, inputs, directions, hidden, reverse;
    float clip;
    const int32_t *codes;    /* [directions][functions] */
    const float *parameters; /* [directions][functions][2]: alpha, beta */
} pl_recurrent;

/* The function with number `index` in the lists of the layer. Not inlined: it is called often. */
static PL_NOINLINE float pl_gate_f32(const pl_recurrent *l, int32_t index, float v)
{
    const float alpha = l->parameters[2 * index], beta = l->parameters[2 * index + 1];
    switch (l->codes[index]) {
    case 0: /* Affine */
        return alpha * v + beta;
    case 1: /* Elu */
        return v >= 0.0f ? v : alpha * (expf(v) - 1.0f);
    case 2: /* HardSigmoid */
        v = alpha * v + beta;
        return v < 0.0f ? 0.0f : v > 1.0f ? 1.0f : v;
    case 3: /* LeakyRelu */
        return v >= 0.0f ? v : alpha * v;
    case 4: /* Relu */
        return v > 0.0f ? v : 0.0f;
    case 5: /* ScaledTanh */
        return alpha * tanhf(beta * v);
    case 6: /* Sigmoid */
        return 1.0f / (1.0f + expf(-v));
    case 7: /* Softsign */
        return v / (1.0f + fabsf(v));
    case 8: /* Tanh */
        return tanhf(v);
    default: /* ThresholdedRelu */
        return v >= alpha ? v : 0.0f;
    }
}

/* The same of a gate's sum, which is clipped first. */
static inline float pl_gate_clipped(const pl_recurrent *l, int32_t index, float v)
{
    return pl_gate_f32(l, index, v < -l->clip ? -l->clip : v > l->clip ? l->clip : v);
}

/* sums[j] = from[j] (0 for NULL) + row j of w (n elements) times v, for `count` rows. */
static inline void pl_gate_sums(const float *w, const float *v, int32_t n, const float *from,
                                float *sums, int32_t count)
{
    for (int32_t j = 0, block; j < count; j += block, w += block * n) {
        block = count - j >= 4 ? 4 : 1;
        float acc[4] = {0.0f, 0.0f, 0.0f, 0.0f};
        for (int32_t i = 0; i < block; i++) {
            acc[i] = from ? from[j + i] : 0.0f;
        }
        if (block == 4) {
            pl_dot4_f32(v, w, n, n, acc);
        } else {
            acc[0] = pl_dot_f32(v, w, n, acc[0]);
        }
        for (int32_t i = 0; i < block; i++) {
            sums[j + i] = acc[i];
        }
    }
}

/* Steps of sequence b, clamped to what there is. */
static inline int32_t pl_sequence_steps(const int32_t *lengths, int32_t b, const pl_recurrent *l)
{
    return lengths ? pl_clamp(lengths[b], 0, l->steps) : l->steps;
}

/* Copies n floats of sequence number s = direction * batch + b, or zeros from NULL, to a state. */
static inline void pl_state_start(float *state, const float *from, int32_t s, int32_t n)
{
    for (int32_t i = 0; i < n; i++) {
        state[i] = from ? from[(ptrdiff_t)s * n + i] : 0.0f;
    }
}

/* Copies a state to where sequence number s has it, if it is asked for. */
static inline void pl_state_end(float *to, const float *state, int32_t s, int32_t n)
{
    for (int32_t i = 0; i < n && to; i++) {
        to[(ptrdiff_t)s * n + i] = state[i];
    }
}

/* Zeros for the steps of sequence number s behind its end, if all steps are asked for. */
static inline void pl_sequence_rest(float *y, int32_t from, int32_t s, const pl_recurrent *l)
{
    for (int32_t t = from; t < l->steps && y; t++) {
        float *at = y + ((ptrdiff_t)t * l->directions * l->batch + s) * l->hidden;
        for (int32_t i = 0; i < l->hidden; i++) {
            at[i] = 0.0f;
        }
    }
}
