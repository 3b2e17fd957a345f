#pragma once
#include "gates_f32.h"

/* A long short-term memory layer of floats; see pl_recurrent. Rows of weights and biases: gates
 * i, o, f, g.
 *
 *   i = f(Wi x + Ri h + biases + Pi * c), f = f(... + Pf * c), or 1 - i when coupled, g = g(...)
 *   c = f * c + i * g, o = f(... + Po * c), h = o * h(c)
 *
 * y, y_h, y_c           all states, the last ones and the last memories, NULL where not asked for
 * lengths, initial_h, initial_c, peepholes [directions][3 * hidden] (Pi, Po, Pf): or NULL
 * scratch               6 * hidden floats
 * Nothing overlaps. Uses functions of libm, those of its gate functions.
 */
typedef struct {
    pl_recurrent layer;
    int32_t coupled;
} pl_lstm_f32_params;

/* The next h and c from the sums [4n] of weights, input and their bias; rb [4n], peep [3n]: or
 * NULL; f: number of the first function. */
static inline void pl_lstm_f32_step(const float *r, const float *rb, const float *peep,
                                    int32_t f, float *sums, float *h, float *c,
                                    const pl_lstm_f32_params *p)
{
    const pl_recurrent *l = &p->layer;
    const int32_t n = l->hidden;
    pl_gate_sums(r, h, n, sums, sums, 4 * n);
    for (int32_t j = 0; j < 4 * n && rb; j++) {
        sums[j] += rb[j];
    }
    for (int32_t i = 0; i < n; i++) {
        const float in = pl_gate_clipped(l, f, sums[i] + (peep ? peep[i] * c[i] : 0.0f));
        const float kept = sums[2 * n + i] + (peep ? peep[2 * n + i] * c[i] : 0.0f);
        const float forget = p->coupled ? 1.0f - in : pl_gate_clipped(l, f, kept);
        c[i] = forget * c[i] + in * pl_gate_clipped(l, f + 1, sums[3 * n + i]);
        const float out = sums[n + i] + (peep ? peep[n + i] * c[i] : 0.0f);
        h[i] = pl_gate_clipped(l, f, out) * pl_gate_f32(l, f + 2, c[i]);
    }
}

static void pl_lstm_f32(const float *x, const float *weights, const float *recurrence,
                        const float *bias, const int32_t *lengths, const float *initial_h,
                        const float *initial_c, const float *peepholes, float *y, float *y_h,
                        float *y_c, float *scratch, const pl_lstm_f32_params *p)
{
    const pl_recurrent *l = &p->layer;
    const int32_t n = l->hidden;
    float *h = scratch, *c = h + n, *sums = c + n;
    for (int32_t s = 0; s < l->directions * l->batch; s++) {
        const int32_t d = s / l->batch, b = s - d * l->batch;
        const float *w = weights + (ptrdiff_t)d * 4 * n * l->inputs;
        const float *r = recurrence + (ptrdiff_t)d * 4 * n * n;
        const float *wb = bias ? bias + (ptrdiff_t)d * 8 * n : NULL;
        const float *peep = peepholes ? peepholes + (ptrdiff_t)d * 3 * n : NULL;
        const int32_t steps = pl_sequence_steps(lengths, b, l);
        pl_state_start(h, steps ? initial_h : NULL, s, n);
        pl_state_start(c, steps ? initial_c : NULL, s, n);
        for (int32_t step = 0; step < steps; step++) {
            const int32_t t = (l->reverse + d) & 1 ? steps - 1 - step : step;
            const float *input = x + ((ptrdiff_t)t * l->batch + b) * l->inputs;
            pl_gate_sums(w, input, l->inputs, wb, sums, 4 * n);
            pl_lstm_f32_step(r, wb ? wb + 4 * n : NULL, peep, 3 * d, sums, h, c, p);
            pl_state_end(y, h, t * l->directions * l->batch + s, n);
        }
        pl_state_end(y_h, h, s, n);
        pl_state_end(y_c, c, s, n);
        pl_sequence_rest(y, steps, s, l);
    }
}
