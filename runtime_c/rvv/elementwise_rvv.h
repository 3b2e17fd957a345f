#pragma once
#include "../portable/elementwise.h"
#include "common_rvv.h"

/* What element-wise kernels share. */

/* How the output is walked: `runs` runs of n elements, along which both operands advance; between
 * runs as pl_broadcast says. */
typedef struct {
    int32_t runs, n, outer_dims;
    const int32_t *outer; /* [outer_dims][3] */
} pl_runs_rvv;

/* Rounding shift to the right (1 or more) of 32-bit lanes `v`, ties away from zero; `t` is
 * overwritten. */
#define PL_ROUND_RVV(v, t, right)                                                                  \
    "    vsra.vi " t ", " v ", 31\n"                                                               \
    "    vadd.vv " v ", " v ", " t "\n"                                                            \
    "    vssra.vx " v ", " v ", " right "\n"

/* 32-bit lanes v8 plus zero_y become bytes between low and high and are stored at y. */
#define PL_STORE_LANES_RVV                                                                         \
    "    vadd.vx v8, v8, %[zero_y]\n"                                                              \
    "    vsetvli zero, zero, e16, m4, ta, mu\n"                                                    \
    "    vnclip.wi v8, v8, 0\n"                                                                    \
    "    vsetvli zero, zero, e8, m2, ta, mu\n"                                                     \
    "    vnclip.wi v8, v8, 0\n"                                                                    \
    "    vmax.vx v8, v8, %[low]\n"                                                                 \
    "    vmin.vx v8, v8, %[high]\n"                                                                \
    "    vse8.v  v8, (%[y])\n"
