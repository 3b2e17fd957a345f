#pragma once
#include "common_mve.h"

/* The block of 4 output channels x 4 pixels that most of the work of a network is done in. */

/* How accumulators become outputs, for all channels of a layer.
 *
 * flags     PL_MVE_AWAY: every shift is to the right by at least 1; PL_MVE_ANY: any shifts; neither: as
 *           AWAY, and no output below the zero point can be told from it (an activation cuts there), so
 *           that ties may go up. PL_MVE_CLAMP: low and high are narrower than int8
 * low, high four times in a word
 * table     per 4 channels: 4 biases, 4 multipliers, 4 shifts (to the left, so mostly negative). The
 *           last group repeats channels where count is not a multiple of 4, so that it ends with the
 *           last one; with less than 4 channels it repeats the last one
 * Bounds: as pl_channels_s8.
 */
enum { PL_MVE_ANY = 1, PL_MVE_AWAY = 2, PL_MVE_CLAMP = 4, PL_MVE_BYTES = 8 };

typedef struct {
    int32_t count;
    uint32_t flags;
    int32_t zero_point;
    uint32_t low, high;
    const int32_t *table; /* [(count + 3) / 4][3][4] */
} pl_mve_channels;

/* Four pixels and where their outputs go; the assembly below knows the layout.
 *
 * x        the pixels, each readable for 16 * chunks elements
 * steps    chunks + 1; steps2: the same, or 0 where only the first two pixels count
 * w        weights per group of channels: [chunks][4 channels][16]
 * table    of pl_mve_channels, from the first group on to `end`
 * flags    of pl_mve_channels, and PL_MVE_BYTES where not all of y are aligned to 4 bytes
 * y        outputs of pixels 0, 2, 1, 3: places for as many channels as the groups have
 * quads    how many times 4 pixels; from one time to the next x advances by x_step, and y by y_step from
 *          behind the last group on, and w and table begin anew
 */
typedef struct {
    const int8_t *x[4];
    uint32_t steps;
    const int8_t *w;
    uint32_t steps2;
    const int32_t *table;
    uint32_t flags;
    int32_t zero_point;
    const int32_t *end;
    int8_t *y[4];
    uint32_t low, high;
    int32_t quads, x_step, y_step;
    const int8_t *first_w;
    const int32_t *first_table;
} pl_mve_block;

#ifdef PL_MVE
/* One step of 16 inputs for pixels r1 and r3 and the 4 channels at r5. */
#define PL_MVE_STEP                                                                                \
    "vldrb.u8 q4, [r1], #16\n\tvldrb.u8 q6, [r5], #16\n\tvmladava.s8 r0, q4, q6\n\t"               \
    "vldrb.u8 q5, [r3], #16\n\tvmladava.s8 r8, q5, q6\n\t"                                         \
    "vldrb.u8 q7, [r5], #16\n\tvmladava.s8 r2, q4, q7\n\tvmladava.s8 r10, q5, q7\n\t"              \
    "vldrb.u8 q6, [r5], #16\n\tvmladava.s8 r4, q4, q6\n\tvmladava.s8 r12, q5, q6\n\t"              \
    "vldrb.u8 q7, [r5], #16\n\tvmladava.s8 r6, q4, q7\n\tvmladava.s8 lr, q5, q7\n\t"
/* Accumulators of two pixels to two lanes of the vectors of their channels. */
#define PL_MVE_LANES(a, b)                                                                         \
    "vmov q0[" a "], q0[" b "], r0, r8\n\tvmov q1[" a "], q1[" b "], r2, r10\n\t"                  \
    "vmov q2[" a "], q2[" b "], r4, r12\n\tvmov q3[" a "], q3[" b "], r6, lr\n\t"
/* A vector q times multiplier m; then ties away from zero: one less for negatives, before the shift
 * that rounds ties up. */
#define PL_MVE_SCALE_AWAY(q, m)                                                                    \
    "vqrdmulh.s32 " q ", " q ", " m "\n\tvshr.s32 q4, " q ", #31\n\tvadd.i32 " q ", " q ", q4\n\t"
/* pl_requantize with a shift to either side. */
#define PL_MVE_SCALE_ANY(q, m, shift)                                                              \
    "usat r5, #5, " shift "\n\tvshl.s32 " q ", r5\n\tvqrdmulh.s32 " q ", " q ", " m "\n\t"         \
    "sub r5, " shift ", r5\n\tlsr r9, r5, #31\n\tvshr.s32 q4, " q ", #31\n\t"                      \
    "vmla.s32 " q ", q4, r9\n\tvrshl.s32 " q ", r5\n\t"
#endif

/* y[i][c] = clamp(requantize(bias[c] + x[i] . w[c])) for all channels c of the groups.
 *
 * Two pixels x 4 channels are accumulated at a time in 8 registers, so that 6 loads feed 128 products;
 * two steps per round of the loop, an odd number begins in the middle. The four vectors, one per
 * channel, are scaled by scalars and narrowed into words of 4 channels.
 */
static PL_NOINLINE void pl_mve_groups(pl_mve_block *b)
{
#ifdef PL_MVE
    register pl_mve_block *block __asm__("r11") = b;
    __asm__ volatile(
        "vldrw.u32 q7, [r11, #44]\n\t"
        "movs r0, #4\n\t"
        "vsub.i32 q7, q7, r0\n\t"
        "vstrw.32 q7, [r11, #44]\n\t"
        "ldr r1, [r11, #28]\n"
        "1:\n\t"
        "ldrd r9, r5, [r11, #16]\n\t"
        "ldm r1, {r0, r2, r4, r6}\n\t"
        "ldm r1, {r8, r10, r12, lr}\n\t"
        "ldrd r1, r3, [r11]\n\t"
        "lsrs r9, r9, #1\n\t"
        "bcc 3f\n"
        "2:\n\t" PL_MVE_STEP "3:\n\t" PL_MVE_STEP
        "subs r9, #1\n\t"
        "bne 2b\n\t"
        PL_MVE_LANES("2", "0")
        "ldrd r9, r1, [r11, #24]\n\t"
        "lsrs r9, r9, #1\n\t"
        "beq 6f\n\t"
        "ldm r1, {r0, r2, r4, r6}\n\t"
        "ldm r1, {r8, r10, r12, lr}\n\t"
        "ldrd r1, r3, [r11, #8]\n\t"
        "ldr r5, [r11, #20]\n\t"
        "bcc 5f\n"
        "4:\n\t" PL_MVE_STEP "5:\n\t" PL_MVE_STEP
        "subs r9, #1\n\t"
        "bne 4b\n"
        "6:\n\t"
        PL_MVE_LANES("3", "1")
        "ldrd r1, r9, [r11, #28]\n\t"
        "str r5, [r11, #20]\n\t"
        "adds r1, #16\n\t"
        "ldm r1!, {r0, r2, r4, r6, r8, r10, r12, lr}\n\t"
        "lsls r9, r9, #30\n\t" /* C: CLAMP, N: AWAY, Z: neither AWAY nor ANY */
        "str r1, [r11, #28]\n\t"
        "beq 7f\n\t"
        "bpl 10f\n\t"
        PL_MVE_SCALE_AWAY("q0", "r0") PL_MVE_SCALE_AWAY("q1", "r2")
        PL_MVE_SCALE_AWAY("q2", "r4") PL_MVE_SCALE_AWAY("q3", "r6")
        "b 8f\n"
        "7:\n\t"
        "vqrdmulh.s32 q0, q0, r0\n\t"
        "vqrdmulh.s32 q1, q1, r2\n\t"
        "vqrdmulh.s32 q2, q2, r4\n\t"
        "vqrdmulh.s32 q3, q3, r6\n"
        "8:\n\t"
        "vrshl.s32 q0, r8\n\t"
        "vrshl.s32 q1, r10\n\t"
        "vrshl.s32 q2, r12\n\t"
        "vrshl.s32 q3, lr\n"
        "9:\n\t"
        "ldrd r3, r9, [r11, #36]\n\t"
        "vqmovnb.s32 q0, q0\n\t"
        "vqmovnb.s32 q1, q1\n\t"
        "vqmovnt.s32 q0, q2\n\t"
        "vqmovnt.s32 q1, q3\n\t"
        "vqadd.s16 q0, q0, r3\n\t"
        "vqadd.s16 q1, q1, r3\n\t"
        "vqmovnb.s16 q0, q0\n\t"
        "vqmovnt.s16 q0, q1\n\t"
        "vldrw.u32 q7, [r11, #44]\n\t"
        "bcs 11f\n\t"
        "vstrw.32 q0, [q7, #4]!\n"
        "vstrw.32 q7, [r11, #44]\n\t"
        "cmp r1, r9\n\t"
        "bne 1b\n"
        "13:\n\t"
        "ldr r9, [r11, #68]\n\t"
        "subs r9, #1\n\t"
        "beq 15f\n\t"
        "str r9, [r11, #68]\n\t"
        "ldrd r0, r2, [r11, #72]\n\t"
        "vldrw.u32 q6, [r11]\n\t"
        "vadd.i32 q6, q6, r0\n\t"
        "vadd.i32 q7, q7, r2\n\t"
        "vstrw.32 q6, [r11]\n\t"
        "vstrw.32 q7, [r11, #44]\n\t"
        "ldrd r5, r1, [r11, #80]\n\t"
        "str r5, [r11, #20]\n\t"
        "str r1, [r11, #28]\n\t"
        "b 1b\n"
        "10:\n\t"
        PL_MVE_SCALE_ANY("q0", "r0", "r8") PL_MVE_SCALE_ANY("q1", "r2", "r10")
        PL_MVE_SCALE_ANY("q2", "r4", "r12") PL_MVE_SCALE_ANY("q3", "r6", "lr")
        "b 9b\n"
        "11:\n\t"
        "ldrd r0, r2, [r11, #60]\n\t"
        "ldr r3, [r11, #32]\n\t"
        "vdup.32 q4, r0\n\t"
        "vmax.s8 q0, q0, q4\n\t"
        "vdup.32 q4, r2\n\t"
        "vmin.s8 q0, q0, q4\n\t"
        "movs r0, #4\n\t"
        "lsls r3, r3, #28\n\t" /* N: BYTES */
        "bmi 12f\n\t"
        "vstrw.32 q0, [r0, q7]\n\t"
        "b 14f\n"
        "12:\n\t"
        "vstrb.32 q0, [r0, q7]\n\t"
        "movs r2, #5\n\t"
        "vshr.u32 q0, q0, #8\n\t"
        "vstrb.32 q0, [r2, q7]\n\t"
        "movs r2, #6\n\t"
        "vshr.u32 q0, q0, #8\n\t"
        "vstrb.32 q0, [r2, q7]\n\t"
        "movs r2, #7\n\t"
        "vshr.u32 q0, q0, #8\n\t"
        "vstrb.32 q0, [r2, q7]\n"
        "14:\n\t"
        "vadd.i32 q7, q7, r0\n\t"
        "vstrw.32 q7, [r11, #44]\n\t"
        "cmp r1, r9\n\t"
        "bne 1b\n\t"
        "b 13b\n"
        "15:\n\t"
        :
        : "r"(block)
        : "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r12", "lr", "q0", "q1",
          "q2", "q3", "q4", "q5", "q6", "q7", "cc", "memory");
#else
    const int32_t low = (int8_t)(b->low & 255u), high = (int8_t)(b->high & 255u);
    const int32_t inputs = 16 * ((int32_t)b->steps - 1);
    for (; b->quads > 0; b->quads--) {
        b->w = b->first_w;
        for (b->table = b->first_table; b->table < b->end; b->table += 12, b->w += 4 * inputs) {
            for (int i = 0; i < 16; i++) {
                const int lane = i / 4, c = i % 4;
                const int pixel = b->steps2 == 0 ? lane / 2 : lane % 2 * 2 + lane / 2;
                int32_t sum = b->table[c];
                for (int32_t j = 0; j < inputs; j++) {
                    sum += b->x[pixel][j] * b->w[j / 16 * 64 + c * 16 + j % 16];
                }
                sum = pl_requantize(sum, b->table[4 + c], b->table[8 + c], b->zero_point);
                b->y[lane][c] = (int8_t)pl_clamp(sum, low, high);
            }
            for (int lane = 0; lane < 4; lane++) {
                b->y[lane] += 4;
            }
        }
        for (int i = 0; i < 4 && b->quads > 1; i++) {
            b->x[i] += b->x_step;
            b->y[i] += b->y_step;
        }
    }
#endif
}

/* A block for pixels of 16 * chunks inputs; the rest is set by pl_mve_pixels4, but for x and x_step. */
static inline pl_mve_block pl_mve_new_block(const pl_mve_channels *c, int32_t chunks)
{
    pl_mve_block b;
    memset(&b, 0, sizeof b);
    b.steps = (uint32_t)chunks + 1u;
    b.zero_point = c->zero_point;
    b.low = c->low;
    b.high = c->high;
    return b;
}

/* Channels `first` to `first` + 4 * groups - 1 of the group at w and table. */
static void pl_mve_channels4(pl_mve_block *b, int8_t *y, int32_t pitch, int32_t pixels,
                             int32_t quads, int32_t groups)
{
    b->w = b->first_w;
    b->table = b->first_table;
    b->end = b->table + 12 * groups;
    b->quads = quads;
    b->y_step = 4 * (pitch - groups);
    b->y[0] = y;
    b->y[1] = pixels > 2 ? y + 2 * (ptrdiff_t)pitch : y;
    b->y[2] = pixels > 1 ? y + pitch : y;
    b->y[3] = y + (ptrdiff_t)(pixels - 1) * pitch;
    pl_mve_groups(b);
}

/* All output channels: y[i * c->count + oc] for `quads` times 4 pixels, or, with quads 1, for `pixels`
 * of them, 1 to 4; b->x of missing pixels repeat the last one. The last group of channels overlaps the
 * one before where there is no fourth, or goes through a copy where there is none before.
 */
static void pl_mve_pixels4(pl_mve_block *b, int8_t *y, int32_t pixels, int32_t quads,
                           const int8_t *w, const pl_mve_channels *c)
{
    const int32_t count = c->count, groups = count >> 2, group_bytes = 64 * ((int32_t)b->steps - 1);
    const int8_t *const x[4] = {b->x[0], b->x[1], b->x[2], b->x[3]};
    int32_t words[4]; /* stored to as words */
    int8_t *const part = (int8_t *)(void *)words;
    if (count < 4) {
        for (; quads > 0; quads--, y += 4 * count) {
            b->flags = c->flags;
            b->steps2 = pixels > 2 ? b->steps : 0;
            b->first_w = w;
            b->first_table = c->table;
            pl_mve_channels4(b, part, 4, pixels, 1, 1);
            for (int32_t i = 0; i < pixels; i++) {
                memcpy(y + i * count, part + 4 * i, (size_t)count);
            }
            for (int i = 0; i < 4; i++) {
                b->x[i] += b->x_step;
            }
        }
        return;
    }
    b->flags = c->flags;
    if (((((uintptr_t)y | (uintptr_t)count)) & 3u) != 0u) {
        b->flags |= PL_MVE_CLAMP | PL_MVE_BYTES;
    }
    b->steps2 = pixels > 2 ? b->steps : 0;
    b->first_w = w;
    b->first_table = c->table;
    pl_mve_channels4(b, y, count, pixels, quads, groups);
    if ((count & 3) != 0) {
        for (int i = 0; i < 4; i++) {
            b->x[i] = x[i];
        }
        b->first_w = w + groups * group_bytes;
        b->first_table = c->table + 12 * groups;
        pl_mve_channels4(b, y + count - 4, count, pixels, quads, 1);
    }
}

/* Consecutive pixels from x on, `pitch` apart, as many as there are in `quads` and one of `pixels`, 0 to 3.
 */
static void pl_mve_pixels(pl_mve_block *b, const int8_t *x, int32_t pitch, int8_t *y,
                          int32_t pixels, const int8_t *w, const pl_mve_channels *c)
{
    const int32_t quads = pixels >> 2, rest = pixels & 3;
    b->x_step = 4 * pitch;
    if (quads > 0) {
        for (int i = 0; i < 4; i++) {
            b->x[i] = x + (ptrdiff_t)i * pitch;
        }
        pl_mve_pixels4(b, y, 4, quads, w, c);
        x += (ptrdiff_t)quads * 4 * pitch;
        y += (ptrdiff_t)quads * 4 * c->count;
    }
    if (rest > 0) {
        for (int i = 0; i < 4; i++) {
            b->x[i] = x + (ptrdiff_t)(i < rest ? i : rest - 1) * pitch;
        }
        pl_mve_pixels4(b, y, rest, 1, w, c);
    }
}
