#pragma once
#include "matmul.h"

/* Product of float32 matrices, or of stacks of them with broadcasting; see pl_matmul_walk.
 *
 *   y[batch][i][j] = sum over k of a[i][k] * b[k][j]
 *
 * y must not overlap a or b. No scratch. Order of additions: k ascending, from 0.
 */
typedef struct {
    pl_matmul_walk walk;
} pl_matmul_f32_params;

/* `count` (4 or 1) neighbouring elements of a row of y. */
static inline void pl_matmul_f32_block(const float *a, const float *b, float *y, int32_t count,
                                       const pl_matmul_walk *w)
{
    float acc[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    for (int32_t k = 0; k < w->depth; k++, a += w->a_step, b += w->b_step) {
        acc[0] += *a * *b;
        if (count == 4) {
            acc[1] += *a * b[w->b_column];
            acc[2] += *a * b[2 * w->b_column];
            acc[3] += *a * b[3 * w->b_column];
        }
    }
    for (int32_t j = 0; j < count; j++) {
        y[j] = acc[j];
    }
}

static void pl_matmul_f32(const float *a, const float *b, float *y, const pl_matmul_f32_params *p)
{
    const pl_matmul_walk *w = &p->walk;
    for (int32_t batch = 0; batch < w->batches; batch++) {
        int32_t ia, ib;
        pl_matmul_batch(w, batch, &ia, &ib);
        for (int32_t i = 0; i < w->rows; i++, ia += w->a_row) {
            for (int32_t j = 0, count; j < w->columns; j += count, y += count) {
                count = w->columns - j >= 4 ? 4 : 1;
                pl_matmul_f32_block(a + ia, b + ib + j * w->b_column, y, count, w);
            }
        }
    }
}
