#pragma once
#include "pairs_channels.h"

/* Pixels to compute next when `left` are left: eight, or up to four at the end. */
static inline int32_t pl_pairs8_block(int32_t left)
{
    return left > 7 ? 8 : left == 7 ? 7 : left < 4 ? left : 4;
}

/* Words per element of that many pixels. */
static inline int32_t pl_pairs8_words(int32_t pixels)
{
    return pixels > 4 ? 4 : pixels > 2 ? 2 : 1;
}

/* One round of a chunk of four pairs, `i` before its end. */
#define PL_PAIRS4_ROUND(i)                                                                         \
    case i: {                                                                                      \
        const uint32_t byte = (uint32_t)(int32_t)bytes[-(i)];                                      \
        sum0 += byte * words[-4 * (i)];                                                            \
        sum1 += byte * words[-4 * (i) + 1];                                                        \
        sum2 += byte * words[-4 * (i) + 2];                                                        \
        sum3 += byte * words[-4 * (i) + 3];                                                        \
    }

/* acc[2 * j], acc[2 * j + 1] = sums over i of words[4 * i + j] (low, high) times bytes[i], over
 * all chunks of the list, whose end is returned. Needs about 20 registers. */
static PL_INLINE const uint8_t *pl_dot_pairs4(const uint32_t *words, const int8_t *bytes,
                                              const uint8_t *chunks, int32_t acc[8])
{
    const uint8_t *end = chunks;
    uint32_t total0 = 0, total1 = 0, total2 = 0, total3 = 0;
    int32_t upper0 = 0, upper1 = 0, upper2 = 0, upper3 = 0;
    for (int32_t n; (n = *end++) != 0;) {
        uint32_t sum0 = PL_HALF, sum1 = PL_HALF, sum2 = PL_HALF, sum3 = PL_HALF;
        words += 4 * n;
        bytes += n;
        PL_CHUNK_ROUNDS(n, PL_PAIRS4_ROUND)
        total0 += sum0;
        total1 += sum1;
        total2 += sum2;
        total3 += sum3;
        upper0 += pl_upper(sum0);
        upper1 += pl_upper(sum1);
        upper2 += pl_upper(sum2);
        upper3 += pl_upper(sum3);
    }
    const uint32_t halves = pl_halves(chunks, end);
    acc[0] = (int32_t)(total0 - halves - ((uint32_t)upper0 << 16));
    acc[1] = upper0;
    acc[2] = (int32_t)(total1 - halves - ((uint32_t)upper1 << 16));
    acc[3] = upper1;
    acc[4] = (int32_t)(total2 - halves - ((uint32_t)upper2 << 16));
    acc[5] = upper2;
    acc[6] = (int32_t)(total3 - halves - ((uint32_t)upper3 << 16));
    acc[7] = upper3;
    return end;
}

/* pl_pairs_channels_s8 of a block of pl_pairs8_block pixels; words [k][pl_pairs8_words(n)]. */
static PL_NOINLINE void pl_pairs8_channels_s8(const uint32_t *words, int8_t *y, int32_t n,
                                              const pl_pairs_channels *p)
{
    if (n <= 4) {
        pl_pairs_channels_s8(words, y, n, p);
        return;
    }
    const int32_t out_c = p->out_c, k = p->k;
    const int32_t at[4] = {0, out_c, 2 * out_c, 3 * out_c};
    const uint8_t *chunks = p->chunks;
    const int8_t *weights = p->weights;
    /* The seventh pixel repeated where there is no eighth. */
    const int32_t to[4] = {0, out_c, 2 * out_c, (n < 8 ? 2 : 3) * out_c};
    const int32_t *channel = p->outputs.channels, *end = channel + 4 * out_c;
    for (; channel != end; channel += 4, weights += k, y++) {
        int32_t acc[8];
        chunks = pl_dot_pairs4(words, weights, chunks, acc);
        pl_output4_s8(y, at, acc, channel, &p->outputs);
        pl_output4_s8(y + 4 * out_c, to, acc + 4, channel, &p->outputs);
    }
}
