#pragma once
#include "gates_f32.h"

/* A recurrent layer of floats without gates, see pl_recurrent:
 *
 *   h = f(weights x + recurrence h + biases)
 *
 * y, y_h    all states and the last ones, NULL where not asked for; lengths, initial_h: or NULL
 * scratch   2 * hidden floats
 * Nothing overlaps. Uses functions of libm, those of its gate function.
 */
typedef struct {
    pl_recurrent layer;
} pl_rnn_f32_params;

static void pl_rnn_f32(const float *x, const float *weights, const float *recurrence,
                       const float *bias, const int32_t *lengths, const float *initial_h, float *y,
                       float *y_h, float *scratch, const pl_rnn_f32_params *p)
{
    const pl_recurrent *l = &p->layer;
    const int32_t n = l->hidden;
    float *h = scratch, *sums = h + n;
    for (int32_t s = 0; s < l->directions * l->batch; s++) {
        const int32_t d = s / l->batch, b = s - d * l->batch;
        const float *w = weights + (ptrdiff_t)d * n * l->inputs;
        const float *r = recurrence + (ptrdiff_t)d * n * n;
        const float *wb = bias ? bias + (ptrdiff_t)d * 2 * n : NULL;
        const int32_t steps = pl_sequence_steps(lengths, b, l);
        pl_state_start(h, steps ? initial_h : NULL, s, n);
        for (int32_t step = 0; step < steps; step++) {
            const int32_t t = (l->reverse + d) & 1 ? steps - 1 - step : step;
            pl_gate_sums(w, x + ((ptrdiff_t)t * l->batch + b) * l->inputs, l->inputs, wb, sums, n);
            pl_gate_sums(r, h, n, sums, sums, n);
            for (int32_t i = 0; i < n; i++) {
                h[i] = pl_gate_clipped(l, d, sums[i] + (wb ? wb[n + i] : 0.0f));
            }
            pl_state_end(y, h, t * l->directions * l->batch + s, n);
        }
        pl_state_end(y_h, h, s, n);
        pl_sequence_rest(y, steps, s, l);
    }
}
