#pragma once
#include "depthwise_planes.h"

#if defined(__GNUC__) && defined(__ARM_FEATURE_DSP)

#define PL_DW_STEP(PAIR_BYTES)                                                                     \
    "ldr %[a], [%[from]]\n\t"                                                                      \
    "ldr %[b], [%[from], %[delta]]\n\t"                                                            \
    "add %[from], %[from], %[step]\n\t"                                                            \
    "pkhbt %[c], %[a], %[b], lsl #16\n\t"                                                          \
    "pkhtb %[b], %[b], %[a], asr #16\n\t"                                                          \
    "sxtb16 %[a], %[c]\n\t"                                                                        \
    "sxtb16 %[c], %[c], ror #8\n\t"                                                                \
    "sxtb16 %[d], %[b]\n\t"                                                                        \
    "sxtb16 %[b], %[b], ror #8\n\t"                                                                \
    "str %[c], [%[to], #4]\n\t"                                                                    \
    "str %[d], [%[to], #8]\n\t"                                                                    \
    "str %[b], [%[to], #12]\n\t"                                                                   \
    "str %[a], [%[to]], #" PAIR_BYTES "\n\t"

#define PL_DW_STEPS(PAIR_BYTES)                                                                    \
    __asm__ volatile("lsrs %[n], %[n], #1\n\t"                                                     \
                     "bcs 2f\n"                                                                    \
                     "1:\n\t" PL_DW_STEP(PAIR_BYTES) "subs %[n], %[n], #1\n"                       \
                     "2:\n\t" PL_DW_STEP(PAIR_BYTES) "bne 1b\n\t"                                  \
                     : [to] "+r"(to), [from] "+r"(from), [n] "+r"(count), [a] "=&r"(a),            \
                       [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d)                                    \
                     : [delta] "r"(delta), [step] "r"(step)                                        \
                     : "cc", "memory")

/* `count` >= 1 pairs of columns: the first of each at `from`, the second `delta` bytes behind it.
 * */
static inline void pl_dw_pairs(int32_t *to, int32_t pair, const int8_t *from, int32_t delta,
                               int32_t step, int32_t count)
{
    int32_t a, b, c, d;
    if (pair == PL_DW_PAIR) {
        PL_DW_STEPS("128");
    } else {
        PL_DW_STEPS("192");
    }
}

#else

static inline void pl_dw_pairs(int32_t *to, int32_t pair, const int8_t *from, int32_t delta,
                               int32_t step, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        const int8_t *at = from + i * step;
        pl_dw_pair(to + i * pair, pl_ld32(at), pl_ld32(at + delta));
    }
}

#endif

/* Which pairs of columns of a line are outside the input, half inside, or inside, from left to
 * right. */
typedef struct {
    int32_t outside_left, half_left, inside, half_right, outside_right;
} pl_dw_split;

/* `pairs` pairs from column x (negative: outside) of rows of in_w columns. */
static inline pl_dw_split pl_dw_split_pairs(int32_t x, int32_t pairs, int32_t in_w)
{
    pl_dw_split s;
    const int32_t before = x < 0 ? -x / 2 : 0;
    s.outside_left = before < pairs ? before : pairs;
    pairs -= s.outside_left;
    s.half_left = x < 0 && x % 2 && pairs > 0;
    pairs -= s.half_left;
    const int32_t left = in_w - (x + 2 * (s.outside_left + s.half_left)); /* columns */
    const int32_t whole = left > 0 ? left / 2 : 0;
    s.inside = whole < pairs ? whole : pairs;
    pairs -= s.inside;
    s.half_right = left > 0 && left % 2 && pairs > 0;
    s.outside_right = pairs - s.half_right;
    return s;
}

/* Fills lines 0 .. lines - 1 with channels c .. c + 3 of rows[], from column x (which may be
 * outside).
 *
 * pair         words of a pair: PL_DW_PAIR or PL_DW_TALL_PAIR
 * rows         NULL: outside the input
 * in_w, in_c   columns and channels of a row; zero: the zero point in each byte
 */
static PL_NOINLINE void pl_dw_planes(int32_t *to, int32_t pair, const void *const *rows,
                                     int32_t lines, int32_t c, int32_t x, int32_t pairs,
                                     int32_t in_w, int32_t in_c, int32_t zero)
{
    const pl_dw_split split = pl_dw_split_pairs(x, pairs, in_w);
    for (int32_t i = 0; i < split.outside_left; i++, to += pair) {
        for (int32_t r = 0; r < lines; r++) {
            pl_dw_pair(to + 4 * r, zero, zero);
        }
    }
    if (split.half_left) {
        for (int32_t r = 0; r < lines; r++) {
            pl_dw_pair(to + 4 * r, zero, pl_ld32(pl_dw_at(rows[r], c, &zero)));
        }
        to += pair;
    }
    const int32_t first = (x + 2 * (split.outside_left + split.half_left)) * in_c + c;
    if (split.inside) {
        for (int32_t r = 0; r < lines; r++) {
            const int32_t step = rows[r] != NULL ? in_c : 0;
            pl_dw_pairs(to + 4 * r, pair, pl_dw_at(rows[r], first, &zero), step, 2 * step,
                        split.inside);
        }
        to += split.inside * pair;
    }
    if (split.half_right) {
        const int32_t last = (in_w - 1) * in_c + c;
        for (int32_t r = 0; r < lines; r++) {
            pl_dw_pair(to + 4 * r, pl_ld32(pl_dw_at(rows[r], last, &zero)), zero);
        }
        to += pair;
    }
    for (int32_t i = 0; i < split.outside_right; i++, to += pair) {
        for (int32_t r = 0; r < lines; r++) {
            pl_dw_pair(to + 4 * r, zero, zero);
        }
    }
}
