#pragma once
#include "store_s8__dsp.h"

/* 3x3 convolution of int8 with stride 1, one or two output rows, by Winograd's minimal filtering
 * F(2x2, 3x3) (Lavin and Gray 2016): as pl_conv2d_s8, with 4 multiplications per output and channel
 * instead of 9.
 *
 * A tile of 2x2 outputs needs 4x4 inputs d. With B', G, A' of the paper, V = B' d B has 16
 * elements, and Y = A' (sum over channels of U * V) A. The weights U = (2G) g (2G)' are integers,
 * so that Y is exactly four times the convolution. |V| <= 512, |U| <= 1152.
 *
 * rows     4 pointers to input rows [in_w][in_c], in_c a multiple of 16; all of them are read; rows
 *          outside the input hold its zero point
 * y        [n][out_w][out_c], out_c >= 4; must not overlap any row
 * pad      at least in_c elements, all equal to the input's zero point
 * scratch  V of two tiles, then the products of four output channels: 64 * in_c + 256 bytes
 * stream   for each four channels, the last four overlapping: U as [row][column 1, 2, -3, 0]
 *          [in_c / 2] words for each of the four, then their pl_channel_dsp
 * Bounds: |4 * accumulator| < 2^31 (proven when the code was generated); sums before may wrap.
 */
typedef struct {
    int32_t in_w, in_c, out_w, out_c, pad_left, low, high;
    const int8_t *pad;
    const int32_t *stream;
} pl_conv2d_s8__dsp_wino2x2_params;

/* Products of the V of two tiles with the U of four channels, summed along the columns of a row:
 *
 *   out[row][0] = M1 - M2 - M3,  out[row][1] = M0 + M1 + M2;  of each [tile][channel]
 *
 * where Mc is the sum over channels of U * V in column c of the row. Column 3 has negated weights.
 * v        [row][column 1, 2, 3, 0][v_bytes / 8][tile]; v_bytes of one element for both tiles, a
 *          multiple of 64
 */
typedef struct {
    const int32_t *v_end_first;
    int32_t v_bytes;
    int32_t *out;
    const int32_t *v_end, *v, *stream;
} pl_wino_dsp_args;

#if defined(__GNUC__) && defined(__ARM_FEATURE_DSP)

#define PL_WINO_MLA(acc, x, w) "smlad " acc ", " x ", " w ", " acc "\n\t"
#define PL_WINO_PAIR                                                                               \
    "ldr r2, [r0], #4\n\tldr r3, [r0], #4\n\tldr r12, [r1], #4\n\tldr lr, [r1], #4\n\t"            \
    PL_WINO_MLA("r4", "r2", "r12") PL_WINO_MLA("r8", "r3", "r12")                                  \
    PL_WINO_MLA("r5", "r2", "lr") PL_WINO_MLA("r9", "r3", "lr")                                    \
    "ldr r12, [r1], #4\n\tldr lr, [r1], #4\n\t"                                                    \
    PL_WINO_MLA("r6", "r2", "r12") PL_WINO_MLA("r10", "r3", "r12")                                 \
    PL_WINO_MLA("r7", "r2", "lr") PL_WINO_MLA("r11", "r3", "lr")
/* Adds one element's products to r4-r11. sp: where this element's V ends, v_bytes, out, v_end, 8
 * sums. */
#define PL_WINO_ELEMENT                                                                            \
    "3:\n\t.rept 8\n\t" PL_WINO_PAIR ".endr\n\t"                                                   \
    "ldr r2, [sp]\n\tldr r3, [sp, #4]\n\tcmp r0, r2\n\tbne 3b\n\tadd r2, r3\n\tstr r2, [sp]\n\t"
#define PL_WINO_ZERO                                                                               \
    "movs r4, #0\n\tmovs r5, #0\n\tmovs r6, #0\n\tmovs r7, #0\n\t"                                 \
    "mov r8, r4\n\tmov r9, r4\n\tmov r10, r4\n\tmov r11, r4\n\t"
/* The sum on the stack and acc become their sum and difference. */
#define PL_WINO_BUTTERFLY(acc, at)                                                                 \
    "ldr r2, [sp, #" at "]\n\tadd r3, r2, " acc "\n\t"                                             \
    "sub " acc ", r2, " acc "\n\tstr r3, [sp, #" at "]\n\t"

static PL_NOINLINE void pl_wino_products_dsp(const pl_wino_dsp_args *a)
{
    register const pl_wino_dsp_args *args __asm__("r0") = a;
    __asm__ volatile(
        "push {r7}\n\t"
        "ldm r0, {r2-r6, r12}\n\t"
        "sub sp, #48\n\t"
        "mov r1, sp\n\t"
        "stm r1, {r2-r5}\n\t"
        "mov r0, r6\n\t"
        "mov r1, r12\n"
        "2:\n\t"
        PL_WINO_ZERO PL_WINO_ELEMENT
        "add r2, sp, #16\n\tstm r2, {r4-r11}\n\t"
        PL_WINO_ZERO PL_WINO_ELEMENT
        PL_WINO_BUTTERFLY("r4", "16") PL_WINO_BUTTERFLY("r5", "20")
        PL_WINO_BUTTERFLY("r6", "24") PL_WINO_BUTTERFLY("r7", "28")
        PL_WINO_BUTTERFLY("r8", "32") PL_WINO_BUTTERFLY("r9", "36")
        PL_WINO_BUTTERFLY("r10", "40") PL_WINO_BUTTERFLY("r11", "44")
        PL_WINO_ELEMENT
        "ldr r2, [sp, #8]\n\tstm r2!, {r4-r11}\n\tstr r2, [sp, #8]\n\t"
        "add r2, sp, #16\n\tldm r2, {r4-r11}\n\t"
        PL_WINO_ELEMENT
        "ldr r2, [sp, #8]\n\tstm r2!, {r4-r11}\n\tstr r2, [sp, #8]\n\t"
        "ldr r2, [sp, #12]\n\tcmp r0, r2\n\tbne 2b\n\t"
        "add sp, #48\n\t"
        "pop {r7}"
        : "+r"(args)
        :
        : "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc",
        "memory");
}

#else

/* One element's products for lane i = 4 * tile + channel. */
static int32_t pl_wino_element(const int32_t *v, const int32_t *w, int32_t pairs, int32_t i)
{
    int32_t sum = 0;
    for (int32_t k = 0; k < pairs; k++) {
        sum = pl_smlad(pl_ld32(v + 2 * k + (i >> 2)), w[4 * k + (i & 3)], sum);
    }
    return sum;
}

static void pl_wino_products_dsp(const pl_wino_dsp_args *a)
{
    const int32_t words = a->v_bytes / 4, pairs = words / 2;
    const int32_t *w = a->stream;
    int32_t *out = a->out;
    for (const int32_t *v = a->v; v < a->v_end; v += 4 * words, w += 16 * pairs, out += 16) {
        for (int32_t i = 0; i < 8; i++) {
            const int32_t m1 = pl_wino_element(v, w, pairs, i);
            const int32_t m2 = pl_wino_element(v + words, w + 4 * pairs, pairs, i);
            const int32_t m3 = pl_wino_element(v + 2 * words, w + 8 * pairs, pairs, i);
            const int32_t m0 = pl_wino_element(v + 3 * words, w + 12 * pairs, pairs, i);
            const int32_t sum = pl_wrapping_add(m1, m2);
            pl_st32(out + i, pl_wrapping_add(pl_wrapping_sub(m1, m2), m3));
            pl_st32(out + 8 + i, pl_wrapping_add(sum, m0));
        }
    }
}

#endif

/* One row of V of two adjacent tiles, all channels.
 *
 * to       [column 1, 2, 3, 0][in_c / 2][tile]
 * table    where 6 columns of an input row begin, then those of another row: B' takes the
 *          difference of the two, or their sum (`plus`)
 */
#if defined(__GNUC__) && defined(__ARM_FEATURE_DSP)

/* Column i of four channels, combined by `op`: lanes 0 and 2 to e, 1 and 3 to o. r1 table, r12
 * channel. */
#define PL_WINO_COLUMN(i, q, e, o, op)                                                             \
    "ldr r2, [r1, #" i "]\n\tldr r3, [r1, #" q "]\n\tldr r2, [r2, r12]\n\tldr r3, [r3, r12]\n\t"   \
    "sxtb16 " e ", r2\n\tsxtb16 " o ", r2, ror #8\n\tsxtb16 r2, r3\n\tsxtb16 r3, r3, ror #8\n\t"   \
    op " " e ", " e ", r2\n\t" op " " o ", " o ", r3\n\t"
/* Elements 1, 2, 3, 0 of a tile's row from its four columns, at r0, in_c words apart (lr: in_c). */
#define PL_WINO_TILE(c0, c1, c2, c3, step)                                                         \
    "sadd16 r2, " c1 ", " c2 "\n\tstr r2, [r0]\n\tssub16 r2, " c2 ", " c1 "\n\t"                   \
    "str r2, [r0, lr, lsl #2]\n\t"                                                                 \
    "ssub16 r2, " c1 ", " c3 "\n\tstr r2, [r0, lr, lsl #3]\n\tadd r3, r0, lr, lsl #2\n\t"          \
    "ssub16 r2, " c0 ", " c2 "\n\tstr r2, [r3, lr, lsl #3]\n\tadd r0, #" step "\n\t"
#define PL_WINO_ROW(op)                                                                            \
    "push {r7}\n\tmov lr, r2\n\tmovs r12, #0\n"                                                    \
    "1:\n\t"                                                                                       \
    PL_WINO_COLUMN("0", "24", "r4", "r8", op) PL_WINO_COLUMN("4", "28", "r5", "r9", op)            \
    PL_WINO_COLUMN("8", "32", "r6", "r10", op) PL_WINO_COLUMN("12", "36", "r7", "r11", op)         \
    PL_WINO_TILE("r4", "r5", "r6", "r7", "8") PL_WINO_TILE("r8", "r9", "r10", "r11", "-4")         \
    PL_WINO_COLUMN("16", "40", "r4", "r8", op) PL_WINO_COLUMN("20", "44", "r5", "r9", op)          \
    PL_WINO_TILE("r6", "r7", "r4", "r5", "8") PL_WINO_TILE("r10", "r11", "r8", "r9", "4")          \
    "add r12, #4\n\tcmp r12, lr\n\tbne 1b\n\tpop {r7}"
#define PL_WINO_CLOBBERS                                                                           \
    "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory"

static PL_NOINLINE void pl_wino_row_sum(int32_t *to, const int8_t *const *table, int32_t in_c)
{
    register int32_t *r0 __asm__("r0") = to;
    register const int8_t *const *r1 __asm__("r1") = table;
    register int32_t r2 __asm__("r2") = in_c;
    __asm__ volatile(PL_WINO_ROW("sadd16") : "+r"(r0), "+r"(r1), "+r"(r2) : : PL_WINO_CLOBBERS);
}

static PL_NOINLINE void pl_wino_row_difference(int32_t *to, const int8_t *const *table,
                                               int32_t in_c)
{
    register int32_t *r0 __asm__("r0") = to;
    register const int8_t *const *r1 __asm__("r1") = table;
    register int32_t r2 __asm__("r2") = in_c;
    __asm__ volatile(PL_WINO_ROW("ssub16") : "+r"(r0), "+r"(r1), "+r"(r2) : : PL_WINO_CLOBBERS);
}

#else

static void pl_wino_row(int32_t *to, const int8_t *const *table, int32_t in_c, int32_t plus)
{
    /* k is twice the channel, plus 4 for lanes 1 and 3 */
    for (int32_t k = 0; k < 2 * in_c; k += 4, to += 2) {
        int32_t d[6];
        for (int32_t i = 0; i < 6; i++) {
            const int32_t p = pl_ld32(table[i] + (k >> 3 << 2));
            const int32_t q = pl_ld32(table[i + 6] + (k >> 3 << 2));
            const int32_t a = k & 4 ? pl_sxtb16_ror8(p) : pl_sxtb16(p);
            const int32_t b = k & 4 ? pl_sxtb16_ror8(q) : pl_sxtb16(q);
            d[i] = plus ? pl_sadd16(a, b) : pl_ssub16(a, b);
        }
        for (int32_t i = 0; i < 2; i++) {
            const int32_t *c = d + 2 * i;
            pl_st32(to + i, pl_sadd16(c[1], c[2]));
            pl_st32(to + i + in_c, pl_ssub16(c[2], c[1]));
            pl_st32(to + i + 2 * in_c, pl_ssub16(c[1], c[3]));
            pl_st32(to + i + 3 * in_c, pl_ssub16(c[0], c[2]));
        }
    }
}

static void pl_wino_row_sum(int32_t *to, const int8_t *const *table, int32_t in_c)
{
    pl_wino_row(to, table, in_c, 1);
}

static void pl_wino_row_difference(int32_t *to, const int8_t *const *table, int32_t in_c)
{
    pl_wino_row(to, table, in_c, 0);
}

#endif

/* Outputs of four channels of a block of two tiles: `columns` of up to 4 columns, `n` of 2 rows. */
static PL_NOINLINE void pl_wino_outputs(int8_t *y, const int32_t *products,
                                        const pl_channel_dsp *channel, int32_t n, int32_t columns,
                                        int32_t out_c, int32_t row_pitch)
{
    for (int32_t i = 0; i < 4; i++, channel++, y++) {
        const int32_t bias2 = channel->bias2, multiplier = channel->multiplier;
        const int32_t merged = channel->merged, shift = channel->shift;
        int8_t *to = y;
        for (int32_t x = 0; x < columns; x++, to += out_c) {
            const int32_t *m = products + 8 * (1 - (x & 1)) + 4 * (x >> 1) + i;
            const int32_t m1 = pl_ld32(m + 16), m2 = pl_ld32(m + 32);
            const int32_t y0 = pl_wrapping_add(pl_wrapping_add(pl_ld32(m), m1), m2);
            const int32_t y1 = pl_wrapping_sub(pl_wrapping_sub(m1, m2), pl_ld32(m + 48));
            to[0] = (int8_t)pl_requantize_dsp(bias2 + (y0 >> 1), multiplier, merged, shift);
            if (n > 1) {
                const int32_t doubled = bias2 + (y1 >> 1);
                to[row_pitch] = (int8_t)pl_requantize_dsp(doubled, multiplier, merged, shift);
            }
        }
    }
}

#if defined(__GNUC__) && defined(__ARM_FEATURE_DSP)

/* acc, four times the sum, becomes an output; r2 bias2, r3 multiplier, r4 merged, r5 shift. */
#define PL_WINO_OUT(acc)                                                                           \
    "add " acc ", r2, " acc ", asr #1\n\tadd lr, r4, " acc ", asr #31\n\tsmmlar " acc ", " acc     \
    ", r3, lr\n\t"                                                                                 \
    "asr " acc ", " acc ", r5\n\tssat " acc ", #8, " acc "\n\t"
/* Both outputs of one column, from the products at these offsets in the four rows. */
#define PL_WINO_OUTPUT(m0, m1, m2, m3)                                                             \
    "ldr r9, [r0, #" m0 "]\n\tldr r10, [r0, #" m1 "]\n\tldr r11, [r0, #" m2 "]\n\t"                \
    "ldr r12, [r0, #" m3 "]\n\t"                                                                   \
    "add r9, r9, r10\n\tsub r12, r10, r12\n\tadd r9, r9, r11\n\tsub r12, r12, r11\n\t"             \
    PL_WINO_OUT("r9") PL_WINO_OUT("r12")                                                           \
    "strb r9, [r6]\n\tstrb r12, [r6, r8]\n\tadd r6, r7\n\t"

/* All 8 outputs of each of four channels. */
static PL_NOINLINE void pl_wino_all_outputs(int8_t *y, const int32_t *products,
                                            const pl_channel_dsp *channel, int32_t out_c,
                                            int32_t row_pitch)
{
    register const int32_t *r0 __asm__("r0") = products;
    register const pl_channel_dsp *r1 __asm__("r1") = channel;
    register int8_t *r2 __asm__("r2") = y;
    register int32_t r3 __asm__("r3") = out_c;
    register int32_t r4 __asm__("r4") = row_pitch;
    __asm__ volatile("push {r7}\n\t"
                     "mov r6, r2\n\t"
                     "mov r7, r3\n\t"
                     "mov r8, r4\n\t"
                     "add r2, r1, #64\n\t"
                     "push {r2}\n"
                     "1:\n\t"
                     "ldm r1!, {r2-r5}\n\t"
                     PL_WINO_OUTPUT("32", "96", "160", "224")
                     PL_WINO_OUTPUT("0", "64", "128", "192")
                     PL_WINO_OUTPUT("48", "112", "176", "240")
                     PL_WINO_OUTPUT("16", "80", "144", "208")
                     "sub r6, r6, r7, lsl #2\n\t"
                     "add r6, #1\n\t"
                     "add r0, #4\n\t"
                     "ldr r9, [sp]\n\t"
                     "cmp r1, r9\n\t"
                     "bne 1b\n\t"
                     "add sp, #4\n\t"
                     "pop {r7}"
                     : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3), "+r"(r4)
                     :
                     : "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory");
}

#else

static void pl_wino_all_outputs(int8_t *y, const int32_t *products, const pl_channel_dsp *channel,
                                int32_t out_c, int32_t row_pitch)
{
    pl_wino_outputs(y, products, channel, 2, 4, out_c, row_pitch);
}

#endif

/* V of the two tiles whose first input column is x0. */
static void pl_wino_tiles(const void *const *rows, int32_t x0, int32_t *to,
                          const pl_conv2d_s8__dsp_wino2x2_params *p)
{
    /* each row of V combines two that are neighbours in this order */
    static const uint8_t order[4] = {0, 2, 1, 3};
    const int8_t *table[24];
    const int32_t in_c = p->in_c;
    for (int32_t r = 0; r < 4; r++) {
        const int8_t *row = (const int8_t *)rows[order[r]];
        for (int32_t i = 0; i < 6; i++) {
            table[6 * r + i] = x0 + i < 0 || x0 + i >= p->in_w ? p->pad : row + (x0 + i) * in_c;
        }
    }
    pl_wino_row_difference(to, table, in_c);
    pl_wino_row_sum(to + 4 * in_c, table + 6, in_c);
    pl_wino_row_difference(to + 8 * in_c, table + 6, in_c);
    pl_wino_row_difference(to + 12 * in_c, table + 12, in_c);
}

static void pl_conv2d_s8__dsp_wino2x2(const void *const *rows, int8_t *y, int32_t n,
                                      int32_t *scratch, const pl_conv2d_s8__dsp_wino2x2_params *p)
{
    const int32_t in_c = p->in_c, out_c = p->out_c, row_pitch = p->out_w * out_c;
    pl_wino_dsp_args a;
    a.v = scratch;
    a.v_bytes = 4 * in_c;
    a.v_end = scratch + 16 * in_c;
    a.v_end_first = scratch + in_c;
    a.out = scratch + 16 * in_c;
    for (int32_t ox = 0; ox < p->out_w; ox += 4) {
        const int32_t columns = pl_clamp(p->out_w - ox, 1, 4);
        pl_wino_tiles(rows, ox - p->pad_left, scratch, p);
        a.stream = p->stream;
        for (int32_t c = 0; c < out_c; c += 4) {
            const void *constants = a.stream + 32 * in_c;
            const pl_channel_dsp *channel = (const pl_channel_dsp *)constants;
            int8_t *to = y + ox * out_c + (c + 4 > out_c ? out_c - 4 : c);
            pl_wino_products_dsp(&a);
            if (n == 2 && columns == 4) {
                pl_wino_all_outputs(to, a.out, channel, out_c, row_pitch);
            } else {
                pl_wino_outputs(to, a.out, channel, n, columns, out_c, row_pitch);
            }
            a.stream += 32 * in_c + 16;
        }
    }
    if (p->low > -128 || p->high < 127) {
        pl_clamp_s8(y, n * row_pitch, p->low, p->high);
    }
}
