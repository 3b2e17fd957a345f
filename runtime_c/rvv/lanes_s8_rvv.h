#pragma once
#include "common_rvv.h"

/* Dot products with vectors of pixels: a weight times the same element of the windows of many
 * pixels, which lie a constant number of bytes apart. Three output channels at a time, whatever
 * their number.
 */
enum { PL_GROUP_RVV = 3, PL_SEGMENTS_RVV = 16, PL_RECORD_RVV = 4 * PL_GROUP_RVV };

/* n elements side by side of a row of every window, for the first window from `offset` elements of
 * the input row on. Only those of `count` windows from `first` on are inside the row, the others
 * padding. fours: n rounded down to a multiple of 4.
 */
typedef struct {
    int32_t offset, n, fours, first, count;
} pl_segment_rvv;

typedef struct {
    int32_t count;
    pl_segment_rvv at[PL_SEGMENTS_RVV];
} pl_segments_rvv;

/* k        elements of a window
 * step     bytes from one window to the next
 * padding  the input's zero point
 * groups   of three channels: biases, multipliers, shifts to the left, shifts to the right (one of
 *          the two is 0); missing channels of the last group zero
 * weights  [groups][k][3]
 * zero_point, low, high are loaded by assembly: they come first.
 */
typedef struct {
    int32_t zero_point, low, high;
    int32_t k, out_c, step, padding;
    const int32_t *groups;
    const int8_t *weights;
} pl_lanes_rvv_params;

#if defined(__GNUC__) && defined(__riscv_vector)
/* One element of all windows, loaded to v6, times three weights. */
#define PL_LANES_STEP(i)                                                                           \
    "    lb      %[t1], 0+" i "(%[w])\n"                                                           \
    "    lb      %[t2], 1+" i "(%[w])\n"                                                           \
    "    addi    %[x], %[x], 1\n"                                                                  \
    "    vsext.vf2 v4, v6\n"                                                                       \
    "    vwmacc.vx v8, %[t1], v4\n"                                                                \
    "    lb      %[t1], 2+" i "(%[w])\n"                                                           \
    "    vwmacc.vx v16, %[t2], v4\n"                                                               \
    "    vwmacc.vx v24, %[t1], v4\n"
#define PL_LANES_INSIDE(i) "    vlse8.v v6, (%[x]), %[step]\n" PL_LANES_STEP(i)

/* The sign counts only before a shift to the right: max(sign, -right). */
#define PL_LANES_REQUANTIZE(v, i)                                                                  \
    "    lw      %[t1], 24+" i "(%[g])\n"                                                          \
    "    lw      %[t2], 12+" i "(%[g])\n"                                                          \
    "    vsll.vx " v ", " v ", %[t1]\n"                                                            \
    "    lw      %[t1], 36+" i "(%[g])\n"                                                          \
    "    vsmul.vx " v ", " v ", %[t2]\n"                                                           \
    "    neg     %[t2], %[t1]\n"                                                                   \
    "    vsra.vi v0, " v ", 31\n"                                                                  \
    "    vmax.vx v0, v0, %[t2]\n"                                                                  \
    "    vadd.vv " v ", " v ", v0\n"                                                               \
    "    vssra.vx " v ", " v ", %[t1]\n"                                                           \
    "    vadd.vx " v ", " v ", %[t0]\n"

/* Accumulators are v8, v16, v24; v0 says which lanes are inside the row, v2 is padding, v4
 * holds activations. Labels: 1 row, 2 segment, 3 to 5 its elements where all lanes are inside, 6
 * elements at borders, 7 end of a segment, 8 the end. */
static PL_NOINLINE void pl_group_s8_rvv(const void *const *rows, int32_t row_count,
                                        const pl_segments_rvv *s, int32_t lanes, int8_t *y,
                                        int32_t group, const pl_lanes_rvv_params *p)
{
    const void *const *rows_end = rows + row_count;
    const pl_segment_rvv *segment;
    const int8_t *w = p->weights + PL_GROUP_RVV * group * p->k;
    size_t x, t0, t1, t2;
    __asm__ volatile(
        "    csrwi   vxrm, 0\n"
        "    vsetvli zero, %[lanes], e32, m8, ta, mu\n"
        "    lw      %[t0], 0(%[g])\n"
        "    lw      %[t1], 4(%[g])\n"
        "    lw      %[t2], 8(%[g])\n"
        "    vmv.v.x v8, %[t0]\n"
        "    vmv.v.x v16, %[t1]\n"
        "    vmv.v.x v24, %[t2]\n"
        "    vsetvli zero, zero, e8, m2, ta, mu\n"
        "    vmv.v.x v2, %[padding]\n"
        "    vsetvli zero, zero, e16, m4, ta, mu\n"
        "1:  mv      %[segment], %[segments]\n"
        "2:  " PL_LOAD_POINTER "      %[x], 0(%[rows])\n"
        "    lw      %[t0], 0(%[segment])\n"
        "    lw      %[t1], 12(%[segment])\n"
        "    lw      %[t2], 16(%[segment])\n"
        "    add     %[x], %[x], %[t0]\n"
        "    bne     %[t2], %[lanes], 6f\n"
        "    lw      %[t0], 8(%[segment])\n"
        "    add     %[t0], %[t0], %[x]\n"
        "    beq     %[x], %[t0], 4f\n"
        "3:  " PL_LANES_INSIDE("0") PL_LANES_INSIDE("3") PL_LANES_INSIDE("6") PL_LANES_INSIDE("9")
        "    addi    %[w], %[w], 12\n"
        "    bne     %[x], %[t0], 3b\n"
        "4:  lw      %[t0], 4(%[segment])\n"
        "    andi    %[t0], %[t0], 3\n"
        "    add     %[t0], %[t0], %[x]\n"
        "    beq     %[x], %[t0], 7f\n"
        "5:  " PL_LANES_INSIDE("0")
        "    addi    %[w], %[w], 3\n"
        "    bne     %[x], %[t0], 5b\n"
        "    j       7f\n"
        "6:  vid.v   v4\n"
        "    lw      %[t0], 4(%[segment])\n"
        "    vsub.vx v4, v4, %[t1]\n"
        "    vmsltu.vx v0, v4, %[t2]\n"
        "    add     %[t0], %[t0], %[x]\n"
        "0:  vmv2r.v v6, v2\n"
        "    vlse8.v v6, (%[x]), %[step], v0.t\n" PL_LANES_STEP("0")
        "    addi    %[w], %[w], 3\n"
        "    bne     %[x], %[t0], 0b\n"
        "7:  addi    %[segment], %[segment], 20\n"
        "    bne     %[segment], %[segments_end], 2b\n"
        "    addi    %[rows], %[rows], " PL_POINTER_BYTES "\n"
        "    bne     %[rows], %[rows_end], 1b\n"
        "    vsetvli zero, zero, e32, m8, ta, mu\n"
        "    lw      %[t0], 0(%[p])\n"
        PL_LANES_REQUANTIZE("v8", "0")
        PL_LANES_REQUANTIZE("v16", "4")
        PL_LANES_REQUANTIZE("v24", "8")
        "    vsetvli zero, zero, e16, m4, ta, mu\n"
        "    lw      %[t1], 4(%[p])\n"
        "    lw      %[t2], 8(%[p])\n"
        "    .irp    v, v8, v16, v24\n"
        "    vnclip.wi \\v, \\v, 0\n"
        "    .endr\n"
        "    vsetvli zero, zero, e8, m2, ta, mu\n"
        "    .irp    v, v8, v16, v24\n"
        "    vnclip.wi \\v, \\v, 0\n"
        "    vmax.vx \\v, \\v, %[t1]\n"
        "    vmin.vx \\v, \\v, %[t2]\n"
        "    .endr\n"
        "    vsse8.v v8, (%[y]), %[out_c]\n"
        "    addi    %[y], %[y], 1\n"
        "    addi    %[t0], %[channels], -2\n"
        "    bltz    %[t0], 8f\n"
        "    vsse8.v v16, (%[y]), %[out_c]\n"
        "    addi    %[y], %[y], 1\n"
        "    beqz    %[t0], 8f\n"
        "    vsse8.v v24, (%[y]), %[out_c]\n"
        "8:\n"
        : [rows] "+&r"(rows), [y] "+&r"(y), [w] "+&r"(w), [segment] "=&r"(segment), [x] "=&r"(x),
          [t0] "=&r"(t0), [t1] "=&r"(t1), [t2] "=&r"(t2)
        : [rows_end] "r"(rows_end), [segments] "r"(s->at), [segments_end] "r"(s->at + s->count),
          [lanes] "r"((size_t)lanes), [step] "r"((size_t)p->step), [padding] "r"(p->padding),
          [g] "r"(p->groups + PL_RECORD_RVV * group), [p] "r"(p), [out_c] "r"((size_t)p->out_c),
          [channels] "r"((size_t)(p->out_c - PL_GROUP_RVV * group))
        : PL_VECTORS);
}
#else
/* Sum of one channel for window number `lane`; w: its weights, 3 apart. */
static int32_t pl_lane_s8_rvv(const void *const *rows, int32_t row_count, const pl_segments_rvv *s,
                              int32_t lane, const int8_t *w, const pl_lanes_rvv_params *p)
{
    int32_t acc = 0;
    for (int32_t r = 0; r < row_count; r++) {
        for (int32_t j = 0; j < s->count; j++) {
            const pl_segment_rvv *at = &s->at[j];
            const int32_t inside = lane >= at->first && lane < at->first + at->count;
            for (int32_t i = 0; i < at->n; i++, w += PL_GROUP_RVV) {
                const int8_t *row = (const int8_t *)rows[r];
                acc += *w * (inside ? row[at->offset + lane * p->step + i] : p->padding);
            }
        }
    }
    return acc;
}

/* Output channels 3 * group and following, three at most, of `lanes` pixels.
 *
 * rows  row_count pointers to input rows; segments of all of them
 * y     the first of these channels of the first pixel
 */
static void pl_group_s8_rvv(const void *const *rows, int32_t row_count, const pl_segments_rvv *s,
                            int32_t lanes, int8_t *y, int32_t group, const pl_lanes_rvv_params *p)
{
    const int8_t *w = p->weights + PL_GROUP_RVV * group * p->k;
    const int32_t *g = p->groups + PL_RECORD_RVV * group;
    for (int32_t c = 0; c < PL_GROUP_RVV && PL_GROUP_RVV * group + c < p->out_c; c++) {
        for (int32_t lane = 0; lane < lanes; lane++) {
            const int32_t acc = g[c] + pl_lane_s8_rvv(rows, row_count, s, lane, w + c, p);
            const int32_t v = pl_requantize(acc, g[3 + c], g[6 + c] - g[9 + c], p->zero_point);
            y[lane * p->out_c + c] = (int8_t)pl_clamp(v, p->low, p->high);
        }
    }
}
#endif

/* All output channels of `lanes` pixels. */
static void pl_groups_s8_rvv(const void *const *rows, int32_t row_count, const pl_segments_rvv *s,
                             int32_t lanes, int8_t *y, const pl_lanes_rvv_params *p)
{
    for (int32_t group = 0; PL_GROUP_RVV * group < p->out_c; group++) {
        pl_group_s8_rvv(rows, row_count, s, lanes, y + PL_GROUP_RVV * group, group, p);
    }
}
