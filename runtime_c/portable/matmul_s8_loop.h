#pragma once
#include "matmul.h"

/* Product of int8 matrices, or of stacks of them with broadcasting; see pl_matmul_walk.
 *
 *   y[batch][i][j] = clamp(requantize(sum over k of (a[i][k] - zero_a) * (b[k][j] - zero_b)))
 *
 * y must not overlap a or b. No scratch.
 * Under an ONNX rounding `multiplier` holds the bits of a float32 factor, and the shift is not used.
 * Bounds: |sum| * 2^max(shift, 0) < 2^30.
 */
typedef struct {
    pl_matmul_walk walk;
    int32_t zero_a, zero_b, multiplier, shift, zero_y;
} pl_matmul_s8_params;

/* What becomes of a sum. */
typedef int8_t pl_finish_matmul(int32_t sum, const pl_matmul_s8_params *p);

/* `count` (4 or 1) neighbouring elements of a row of y. */
static PL_INLINE void pl_matmul_s8_block(const int8_t *a, const int8_t *b, int8_t *y, int32_t count,
                                         const pl_matmul_s8_params *p, pl_finish_matmul *finish)
{
    const pl_matmul_walk *w = &p->walk;
    int32_t acc[4] = {0, 0, 0, 0};
    for (int32_t k = 0; k < w->depth; k++, a += w->a_step, b += w->b_step) {
        const int32_t v = *a - p->zero_a;
        acc[0] += v * (*b - p->zero_b);
        if (count == 4) {
            acc[1] += v * (b[w->b_column] - p->zero_b);
            acc[2] += v * (b[2 * w->b_column] - p->zero_b);
            acc[3] += v * (b[3 * w->b_column] - p->zero_b);
        }
    }
    for (int32_t j = 0; j < count; j++) {
        y[j] = finish(acc[j], p);
    }
}

static PL_INLINE void pl_matmul_s8_loop(const int8_t *a, const int8_t *b, int8_t *y,
                                        const pl_matmul_s8_params *p, pl_finish_matmul *finish)
{
    const pl_matmul_walk *w = &p->walk;
    for (int32_t batch = 0; batch < w->batches; batch++) {
        int32_t ia, ib;
        pl_matmul_batch(w, batch, &ia, &ib);
        for (int32_t i = 0; i < w->rows; i++, ia += w->a_row) {
            for (int32_t j = 0, count; j < w->columns; j += count, y += count) {
                count = w->columns - j >= 4 ? 4 : 1;
                pl_matmul_s8_block(a + ia, b + ib + j * w->b_column, y, count, p, finish);
            }
        }
    }
}
