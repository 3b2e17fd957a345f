#pragma once
#include "gemm_dsp.h"

/* 2-D convolution of int8 without groups, up to `n` output rows: as pl_conv2d_s8.
 *
 * Windows of 4 or 3 pixels are widened to int16 side by side, then multiplied with all output
 * channels.
 *
 * rows     kernel_h pointers per output row, `stride_h` further for the next; rows outside the
 *          input point to `pad`
 * y        [n][out_w][out_c], out_c >= 2; must not overlap any row
 * scratch  16 bytes per pair of gemm.pairs and block of gemm.blocks
 * pad      at least kernel_w * in_c elements, all equal to the input's zero point
 * inner    output columns whose windows lie inside the input, from begin to before end; none with
 *          dilation
 * run      adjacent elements of a window row: kernel_w * in_c, with dilation in_c; runs: of these
 *          per row
 */
typedef struct {
    int32_t in_w, in_c, out_w, kernel_h, kernel_w, stride_h, stride_w, dilation_w, pad_left;
    int32_t run, runs, inner_begin, inner_end;
    const int8_t *pad;
    pl_gemm_dsp_params gemm;
} pl_conv2d_dsp_params;

#if defined(__GNUC__) && defined(__ARM_FEATURE_DSP)

/* Widens `words` > 0 words from `offset` bytes into each row on; returns where the next pair goes.
 * The first round of the loop enters it where only words % 8 are left to do. */
static inline int32_t *pl_conv2d_dsp_rows(const void *const *rows, const void *const *end,
                                          int32_t offset, int32_t *to, int32_t words)
{
    const int8_t *x;
    const int32_t skip = -words & 7;
    int32_t a, b, left;
    __asm__ volatile("1:\n\t"
                     "ldr %[x], [%[rows]], #4\n\t"
                     "add %[x], %[offset]\n\t"
                     "mov %[left], %[words]\n\t"
                     PL_SKIP_TABLE("%[skip]", "10")
                     "3:\n\t"
                     ".rept 8\n\t"
                     "ldr.w %[a], [%[x]], #4\n\t"
                     "sxtb16 %[b], %[a]\n\t"
                     "sxtb16 %[a], %[a], ror #8\n\t"
                     "str.w %[a], [%[to], #16]\n\t"
                     "str.w %[b], [%[to]], #32\n\t"
                     ".endr\n\t"
                     "subs %[left], #8\n\t"
                     "bgt 3b\n\t"
                     "cmp %[rows], %[end]\n\t"
                     "bne 1b"
                     : [rows] "+r"(rows), [to] "+r"(to), [x] "=&r"(x), [a] "=&r"(a),
                       [b] "=&r"(b), [left] "=&r"(left)
                     : [end] "r"(end), [offset] "r"(offset), [words] "r"(words), [skip] "r"(skip)
                     : "cc", "memory");
    return to;
}

#else

static inline int32_t *pl_conv2d_dsp_rows(const void *const *rows, const void *const *end,
                                          int32_t offset, int32_t *to, int32_t words)
{
    for (; rows < end; rows++) {
        to = pl_gemm_widen(to, (const int8_t *)*rows + offset, 4 * words);
    }
    return to;
}

#endif

/* A run of n values from x, or of padding: whole words of it. */
static PL_NOINLINE int32_t *pl_conv2d_dsp_words(int32_t *to, const int8_t *x, int32_t n)
{
    const void *row = x;
    return n < 4 ? to : pl_conv2d_dsp_rows(&row, &row + 1, 0, to, n >> 2);
}

/* Value i of those beyond the words of a row, a lane: the rows' are neighbours in `rest`. */
static inline void pl_conv2d_dsp_lane(int32_t *rest, int32_t i, int32_t ky, int32_t v,
                                      const pl_conv2d_dsp_params *p)
{
    const int16_t lane = (int16_t)v;
    const int32_t pair = i * ((p->kernel_h + 1) >> 1) + (ky >> 1);
    memcpy((int16_t *)(void *)(rest + 4 * pair) + (ky & 1), &lane, sizeof lane);
}

/* A window row over the border: values from..to - 1 of it are at x, the others are padding. */
typedef struct {
    const int8_t *x;
    int32_t from, to, pad;
} pl_conv2d_dsp_row;

static inline int32_t pl_conv2d_dsp_value(const pl_conv2d_dsp_row *r, int32_t k)
{
    return k >= r->from && k < r->to ? r->x[k - r->from] : r->pad;
}

/* Values k..k + 3, a byte each. */
static inline int32_t pl_conv2d_dsp_word(const pl_conv2d_dsp_row *r, int32_t k)
{
    if (k >= r->from && k + 4 <= r->to) {
        return pl_ld32(r->x + (k - r->from));
    }
    uint32_t v = 0;
    for (int32_t i = 3; i >= 0; i--) {
        v = v << 8 | ((uint32_t)pl_conv2d_dsp_value(r, k + i) & 0xFFu);
    }
    return (int32_t)v;
}

/* A window that reaches over the left or right border, or is dilated. */
static PL_NOINLINE void pl_conv2d_dsp_border(const void *const *rows, int32_t x0, int32_t *to,
                                             const pl_conv2d_dsp_params *p)
{
    const int32_t in_c = p->in_c, begin = pl_clamp(-x0, 0, p->kernel_w), whole = p->run & ~3;
    const int32_t end = pl_clamp(p->in_w - x0, begin, p->kernel_w);
    const int32_t before = begin * in_c, inside = (end - begin) * in_c,
        after = (p->kernel_w - end) * in_c;
    int32_t *rest = to + 2 * whole * p->runs * p->kernel_h;
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        const int8_t *row = (const int8_t *)rows[ky], *first = row + (x0 + begin) * in_c;
        if (p->runs > 1) {
            for (int32_t i = 0, ix = x0; i < p->runs; i++, ix += p->dilation_w) {
                const int8_t *x = ix < 0 || ix >= p->in_w ? p->pad : row + ix * in_c;
                to = pl_conv2d_dsp_words(to, x, in_c);
                for (int32_t k = whole; k < in_c; k++) {
                    pl_conv2d_dsp_lane(rest, (in_c & 3) * i + k - whole, ky, x[k], p);
                }
            }
        } else if ((in_c & 3) == 0) {
            to = pl_conv2d_dsp_words(to, p->pad, before);
            to = pl_conv2d_dsp_words(to, first, inside);
            to = pl_conv2d_dsp_words(to, p->pad, after);
        } else {
            const pl_conv2d_dsp_row r = {first, before, before + inside, *p->pad};
            for (int32_t k = 0; k < whole; k += 4, to += 8) {
                const int32_t v = pl_conv2d_dsp_word(&r, k);
                pl_st32(to, pl_sxtb16(v));
                pl_st32(to + 4, pl_sxtb16_ror8(v));
            }
            for (int32_t k = whole; k < p->run; k++) {
                pl_conv2d_dsp_lane(rest, k - whole, ky, pl_conv2d_dsp_value(&r, k), p);
            }
        }
    }
}

/* A window of 3x3 pixels of 3 channels, as many networks begin: 27 values from three rows. */
static inline void pl_conv2d_dsp_window27(const int8_t *const x[3], int32_t *to)
{
    for (int32_t ky = 0; ky < 3; ky++, to += 16) {
        const int32_t a = pl_ld32(x[ky]), b = pl_ld32(x[ky] + 4);
        pl_st32(to, pl_sxtb16(a));
        pl_st32(to + 4, pl_sxtb16_ror8(a));
        pl_st32(to + 8, pl_sxtb16(b));
        pl_st32(to + 12, pl_sxtb16_ror8(b));
    }
    pl_st32(to, pl_pkhbt(x[0][8], x[1][8]));
    pl_st32(to + 4, x[2][8]);
}

/* `count` windows from column x0 on that lie inside the input, as pixels of a block. */
static PL_NOINLINE void pl_conv2d_dsp_windows(const void *const *rows, int32_t x0, int32_t count,
                                              int32_t *to, const pl_conv2d_dsp_params *p)
{
    const int32_t words = p->run >> 2, step = p->stride_w * p->in_c;
    const void *const *end = rows + p->kernel_h;
    int32_t offset = x0 * p->in_c;
    if (p->run == 9 && p->kernel_h == 3) {
        const int8_t *x[3] = {(const int8_t *)rows[0] + offset, (const int8_t *)rows[1] + offset,
                              (const int8_t *)rows[2] + offset};
        for (; count > 0; count--, to++) {
            pl_conv2d_dsp_window27(x, to);
            x[0] += step;
            x[1] += step;
            x[2] += step;
        }
        return;
    }
    for (; count > 0; count--, offset += step, to++) {
        int32_t *rest = words > 0 ? pl_conv2d_dsp_rows(rows, end, offset, to, words) : to;
        for (int32_t i = offset + 4 * words; i < offset + p->run; i++) {
            const void *const *row = rows;
            for (; row + 1 < end; row += 2, rest += 4) {
                pl_st32(rest, pl_lanes(((const int8_t *)row[0])[i], ((const int8_t *)row[1])[i]));
            }
            if (row < end) {
                pl_st32(rest, ((const int8_t *)*row)[i]);
                rest += 4;
            }
        }
    }
}

static PL_DSP_INLINE void pl_conv2d_dsp_run(const void *const *rows, int8_t *y, int32_t n,
                                            int32_t *scratch, const pl_conv2d_dsp_params *p,
                                            pl_gemm_dsp_function *gemm4,
                                            pl_gemm_dsp_function *gemm3)
{
    const int32_t out_w = p->out_w, out_c = p->gemm.out_c, total = n * out_w, few = total < 3;
    const int32_t block_words = 4 * p->gemm.pairs;
    pl_gemm_dsp_args a = pl_gemm_begin(scratch, few ? 0 : out_c, &p->gemm);
    int8_t *begin = y;
    for (int32_t left = total, ox = 0; left > 0;) {
        const int32_t four = (left & 3) == 0;
        const int32_t blocks = four ? pl_clamp(left >> 2, 1, p->gemm.blocks) : 1;
        const int32_t pixels = four ? 4 * blocks : few ? 1 : 3, lanes = four ? pixels : 3;
        for (; pixels > left; left++, y -= out_c) { /* the last block overlaps the one before */
            if (--ox < 0) {
                ox += out_w;
                rows -= p->stride_h;
            }
        }
        for (int32_t i = 0, k = 1; i < lanes; i += k) {
            const int32_t x0 = ox * p->stride_w - p->pad_left;
            int32_t *to = scratch + (i >> 2) * block_words + (i & 3);
            if (ox >= p->inner_begin && ox < p->inner_end) {
                k = few ? 1 : pl_clamp(p->inner_end - ox, 1, four ? 4 - (i & 3) : 3 - i);
                pl_conv2d_dsp_windows(rows, x0, k, to, p);
            } else {
                k = 1;
                pl_conv2d_dsp_border(rows, x0, to, p);
            }
            ox += few && i + k < lanes ? 0 : k;
            if (ox == out_w) {
                ox = 0;
                rows += p->stride_h;
            }
        }
        pl_gemm_block(&a, y, blocks, four, &p->gemm, gemm4, gemm3);
        y += pixels * out_c;
        left -= pixels;
    }
    if (p->gemm.low > -128 || p->gemm.high < 127) {
        pl_clamp_s8(begin, total * out_c, p->gemm.low, p->gemm.high);
    }
}
