#pragma once
#include "elementwise.h"

/* How matrix products walk their operands: y[batch][i][j] is made of a[i][k] and b[k][j],
 * k < depth.
 *
 * a_row, a_step     elements of a from one i to the next, and from one k to the next
 * b_column, b_step  elements of b from one j to the next, and from one k to the next
 * outer             [outer_dims][3], where the matrices of a batch begin, see pl_broadcast
 */
typedef struct {
    int32_t batches, rows, depth, columns;
    int32_t a_row, a_step, b_column, b_step;
    int32_t outer_dims;
    const int32_t *outer;
} pl_matmul_walk;

/* Element offsets of the matrices of a batch. */
static inline void pl_matmul_batch(const pl_matmul_walk *w, int32_t batch, int32_t *a, int32_t *b)
{
    *a = 0;
    *b = 0;
    pl_broadcast(w->outer, w->outer_dims, batch, a, b);
}
