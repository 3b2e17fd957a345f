#pragma once
#include "pairs.h"
#include "output_run_s8.h"

/* Weights of all output channels [out_c][k] and their chunks, one list per channel. */
typedef struct {
    int32_t k, out_c;
    pl_outputs_s8 outputs;
    const int8_t *weights;
    const uint8_t *chunks;
} pl_pairs_channels;

/* All output channels of up to four pixels.
 *
 *   y[min(j, n - 1) * out_c + c] = clamp(requantize(bias[c] + sum over i of window_j[i] *
 *   weights[c][i]))
 *
 * words   the pixels' windows in pairs: [k][2] words of pixels (0, 1), (2, 3), the last pixel
 *         repeated where n is 3; [k] words of (0, 1) where n is 1 or 2
 */
static PL_NOINLINE void pl_pairs_channels_s8(const uint32_t *words, int8_t *y, int32_t n,
                                             const pl_pairs_channels *p)
{
    const int32_t out_c = p->out_c, k = p->k, last = (n - 1) * out_c;
    const int32_t at[4] = {0, n > 1 ? out_c : 0, n > 2 ? 2 * out_c : last, last};
    const uint8_t *chunks = p->chunks;
    const int8_t *weights = p->weights;
    const int32_t *channel = p->outputs.channels, *end = channel + 4 * out_c;
    if (n > 2) {
        for (; channel != end; channel += 4, weights += k, y++) {
            int32_t acc[4];
            chunks = pl_dot_pairs2(words, weights, chunks, acc);
            pl_output4_s8(y, at, acc, channel, &p->outputs);
        }
        return;
    }
    for (; channel != end; channel += 4, weights += k, y++) {
        int32_t acc[2];
        chunks = pl_dot_pairs1(words, weights, chunks, acc);
        for (int32_t i = 0; i < n; i++) {
            pl_output_run_s8(y + i * out_c, acc + i, 1, channel, &p->outputs);
        }
    }
}
