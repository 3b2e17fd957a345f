#pragma once
#include "gates_f32.h"

/* A gated recurrent layer of floats; see pl_recurrent. Rows of weights and biases: gates z, r, n.
 *
 *   z = f(Wz x + Rz h + biases), r = f(Wr x + Rr h + biases), h = (1 - z) * n + z * h
 *   n = g(Wn x + wbn + Rn (r * h) + rbn), or with linear: g(Wn x + wbn + r * (Rn h + rbn))
 *
 * y, y_h    all states and the last ones, NULL where not asked for; lengths, initial_h: or NULL
 * scratch   6 * hidden floats
 * Nothing overlaps. Uses functions of libm, those of its gate functions.
 */
typedef struct {
    pl_recurrent layer;
    int32_t linear;
} pl_gru_f32_params;

/* The next h from the sums [3n] of weights, input and their bias; rb [3n] or NULL; f: number of the
 * first function; room for 2n floats. */
static inline void pl_gru_f32_step(const float *r, const float *rb, int32_t f, float *sums,
                                   float *h, float *room, const pl_gru_f32_params *p)
{
    const pl_recurrent *l = &p->layer;
    const int32_t n = l->hidden;
    float *reset = room, *candidate = room + n;
    pl_gate_sums(r, h, n, sums, sums, 2 * n);
    for (int32_t i = 0; i < n; i++) {
        sums[i] = pl_gate_clipped(l, f, sums[i] + (rb ? rb[i] : 0.0f));
        sums[n + i] = pl_gate_clipped(l, f, sums[n + i] + (rb ? rb[n + i] : 0.0f));
        reset[i] = p->linear ? h[i] : sums[n + i] * h[i];
    }
    pl_gate_sums(r + (ptrdiff_t)2 * n * n, reset, n, rb ? rb + 2 * n : NULL, candidate, n);
    for (int32_t i = 0; i < n; i++) {
        const float gated = p->linear ? sums[n + i] * candidate[i] : candidate[i];
        const float next = pl_gate_clipped(l, f + 1, sums[2 * n + i] + gated);
        h[i] = (1.0f - sums[i]) * next + sums[i] * h[i];
    }
}

static void pl_gru_f32(const float *x, const float *weights, const float *recurrence,
                       const float *bias, const int32_t *lengths, const float *initial_h, float *y,
                       float *y_h, float *scratch, const pl_gru_f32_params *p)
{
    const pl_recurrent *l = &p->layer;
    const int32_t n = l->hidden;
    float *h = scratch, *sums = h + n, *room = sums + 3 * n;
    for (int32_t s = 0; s < l->directions * l->batch; s++) {
        const int32_t d = s / l->batch, b = s - d * l->batch;
        const float *w = weights + (ptrdiff_t)d * 3 * n * l->inputs;
        const float *r = recurrence + (ptrdiff_t)d * 3 * n * n;
        const float *wb = bias ? bias + (ptrdiff_t)d * 6 * n : NULL;
        const int32_t steps = pl_sequence_steps(lengths, b, l);
        pl_state_start(h, steps ? initial_h : NULL, s, n);
        for (int32_t step = 0; step < steps; step++) {
            const int32_t t = (l->reverse + d) & 1 ? steps - 1 - step : step;
            const float *input = x + ((ptrdiff_t)t * l->batch + b) * l->inputs;
            pl_gate_sums(w, input, l->inputs, wb, sums, 3 * n);
            pl_gru_f32_step(r, wb ? wb + 3 * n : NULL, 2 * d, sums, h, room, p);
            pl_state_end(y, h, t * l->directions * l->batch + s, n);
        }
        pl_state_end(y_h, h, s, n);
        pl_sequence_rest(y, steps, s, l);
    }
}
