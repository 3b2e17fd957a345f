#pragma once
#include "gather_pairs.h"
#include "pairs8_channels.h"

/* pl_pointwise_s8__scalar_pairs with eight pixels at a time while there are more than six.
 *
 * scratch  16 * in_c bytes, aligned to 4
 */
static void pl_pointwise_s8__scalar_pairs8(const int8_t *x, int8_t *y, int32_t pixels,
                                           uint32_t *scratch, const pl_pairs_channels *p)
{
    const int32_t in_c = p->k;
    for (int32_t n; pixels > 0; pixels -= n, x += n * in_c, y += n * p->out_c) {
        n = pl_pairs8_block(pixels);
        const int32_t words = pl_pairs8_words(n);
        for (int32_t i = 0; i < words; i++) {
            const int8_t *a = x + 2 * i * in_c;
            pl_gather_pairs(scratch + i, words, a, 2 * i + 1 < n ? a + in_c : a, in_c);
        }
        pl_pairs8_channels_s8(scratch, y, n, p);
    }
}
