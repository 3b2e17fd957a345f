#pragma once
#include "../portable/common.h"

/* What all kernels with RISC-V vectors (V 1.0) share.
 *
 * Functions have two bodies: instructions, and the C that says what they compute, for any other
 * compiler. gcc before 14 keeps nothing in vector registers and does not know their names; between
 * two blocks of assembly nothing may live there. Lengths of vectors are asked for at run time.
 */
#if defined(__clang__) || (defined(__GNUC__) && __GNUC__ >= 14)
#define PL_VECTORS                                                                                 \
    "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", \
        "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", \
        "v28", "v29", "v30", "v31", "vl", "vtype", "memory"
#else
#define PL_VECTORS "memory"
#endif

/* Load of a pointer, and its bytes. */
#if defined(__riscv_xlen) && __riscv_xlen == 32
#define PL_LOAD_POINTER "lw"
#define PL_POINTER_BYTES "4"
#else
#define PL_LOAD_POINTER "ld"
#define PL_POINTER_BYTES "8"
#endif

/* Lanes of a vector of accumulators that kernels use at most: enough for registers of 256 bits. */
enum { PL_LANES_RVV = 64 };

#if defined(__GNUC__) && defined(__riscv_vector)
static inline int32_t pl_lanes_rvv(int32_t n)
{
    const size_t most = PL_LANES_RVV, wanted = (size_t)n < most ? (size_t)n : most;
    size_t lanes;
    __asm__ volatile("vsetvli %0, %1, e32, m8, ta, ma" : "=r"(lanes) : "r"(wanted) : PL_VECTORS);
    return (int32_t)lanes;
}
#else
/* Of n > 0 accumulators, how many one vector takes. */
static inline int32_t pl_lanes_rvv(int32_t n)
{
    return n < 32 ? n : 32;
}
#endif

/* How accumulators of output channels become int8 outputs; as pl_channels_s8. */
typedef struct {
    int32_t zero_point, low, high, right_only;
    const int32_t *bias;       /* [channels] */
    const int32_t *multiplier; /* [channels] */
    const int8_t *shift;       /* [channels] */
} pl_scales_rvv;

static inline int8_t pl_output_rvv(int32_t sum, int32_t channel, const pl_scales_rvv *s)
{
    const int32_t acc = sum + s->bias[channel];
    const int32_t v = pl_requantize(acc, s->multiplier[channel], -s->shift[channel], s->zero_point);
    return (int8_t)pl_clamp(v, s->low, s->high);
}

/* Requantization in fixed-point instructions, rounding mode 0 (ties up): vsmul is the high half of
 * the doubled product; vssra a right shift, before which the sign is added to get ties away from
 * zero. Operands of the assembly: multiplier, shift (of the first channel), zero_point, low, high;
 * y and y_step (bytes from one output vector to the next).
 */

/* Accumulators v0, v8, v16 (with bias) of the same channels, all of which shift to the right. */
#define PL_STORE3_RVV                                                                              \
    "    vsetvli zero, zero, e32, m8, ta, mu\n"                                                    \
    "    vle32.v v24, (%[multiplier])\n"                                                           \
    "    .irp    v, v0, v8, v16\n"                                                                 \
    "    vsmul.vv \\v, \\v, v24\n"                                                                 \
    "    .endr\n"                                                                                  \
    "    .irp    v, v0, v8, v16\n"                                                                 \
    "    vsra.vi v24, \\v, 31\n"                                                                   \
    "    vadd.vv \\v, \\v, v24\n"                                                                  \
    "    .endr\n"                                                                                  \
    "    vle8.v  v30, (%[shift])\n"                                                                \
    "    vsext.vf4 v24, v30\n"                                                                     \
    "    .irp    v, v0, v8, v16\n"                                                                 \
    "    vssra.vv \\v, \\v, v24\n"                                                                 \
    "    vadd.vx \\v, \\v, %[zero_point]\n"                                                        \
    "    .endr\n"                                                                                  \
    "    vsetvli zero, zero, e16, m4, ta, mu\n"                                                    \
    "    .irp    v, v0, v8, v16\n"                                                                 \
    "    vnclip.wi \\v, \\v, 0\n"                                                                  \
    "    .endr\n"                                                                                  \
    "    vsetvli zero, zero, e8, m2, ta, mu\n"                                                     \
    "    .irp    v, v0, v8, v16\n"                                                                 \
    "    vnclip.wi \\v, \\v, 0\n"                                                                  \
    "    vmax.vx \\v, \\v, %[low]\n"                                                               \
    "    vmin.vx \\v, \\v, %[high]\n"                                                              \
    "    .endr\n"                                                                                  \
    "    vse8.v  v0, (%[y])\n"                                                                     \
    "    add     %[y], %[y], %[y_step]\n"                                                          \
    "    vse8.v  v8, (%[y])\n"                                                                     \
    "    add     %[y], %[y], %[y_step]\n"                                                          \
    "    vse8.v  v16, (%[y])\n"

/* Accumulators v8 (with bias), any shifts; right_only as in pl_channels_s8. */
#define PL_STORE1_RVV                                                                              \
    "    vsetvli zero, zero, e32, m8, ta, mu\n"                                                    \
    "    vle8.v  v30, (%[shift])\n"                                                                \
    "    vsext.vf4 v24, v30\n"                                                                     \
    "    bnez    %[right_only], 9f\n"                                                              \
    "    vrsub.vi v16, v24, 0\n"                                                                   \
    "    vmax.vx v16, v16, zero\n"                                                                 \
    "    vsll.vv v8, v8, v16\n"                                                                    \
    "    vmax.vx v24, v24, zero\n"                                                                 \
    "9:  vle32.v v16, (%[multiplier])\n"                                                           \
    "    vsmul.vv v8, v8, v16\n"                                                                   \
    "    vsra.vi v16, v8, 31\n"                                                                    \
    "    vmsgt.vi v0, v24, 0\n"                                                                    \
    "    vadd.vv v8, v8, v16, v0.t\n"                                                              \
    "    vssra.vv v8, v8, v24\n"                                                                   \
    "    vadd.vx v8, v8, %[zero_point]\n"                                                          \
    "    vsetvli zero, zero, e16, m4, ta, mu\n"                                                    \
    "    vnclip.wi v8, v8, 0\n"                                                                    \
    "    vsetvli zero, zero, e8, m2, ta, mu\n"                                                     \
    "    vnclip.wi v8, v8, 0\n"                                                                    \
    "    vmax.vx v8, v8, %[low]\n"                                                                 \
    "    vmin.vx v8, v8, %[high]\n"                                                                \
    "    vse8.v  v8, (%[y])\n"
