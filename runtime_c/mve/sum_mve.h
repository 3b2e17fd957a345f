#pragma once
#include "common_mve.h"

/* sum[c] += x[i * pitch + c], c < n, i < count: pixels `pitch` elements apart, n <= 8 channels.
 * Bounds: 1 <= count <= 255, so that int16 holds the sum. */
static PL_NOINLINE void pl_mve_sum(int32_t sum[8], const int8_t *x, int32_t count, int32_t pitch,
                                   int32_t n)
{
#ifdef PL_MVE
    int16x8_t v = vdupq_n_s16(0);
    __asm__ volatile("vctp.16 %[n]\n\t"
                     "dls lr, %[count]\n"
                     "1:\n\t"
                     "vpst\n\t"
                     "vldrbt.s16 q0, [%[x]]\n\t"
                     "add %[x], %[x], %[pitch]\n\t"
                     "vadd.i16 %q[v], %q[v], q0\n\t"
                     "le lr, 1b"
                     : [v] "+&w"(v), [x] "+&l"(x)
                     : [n] "r"(n), [count] "r"(count), [pitch] "r"(pitch)
                     : "lr", "q0", "memory");
    int32x4x2_t both = vld2q_s32(sum); /* even and odd channels */
    both.val[0] = vaddq_s32(both.val[0], vmovlbq_s16(v));
    both.val[1] = vaddq_s32(both.val[1], vmovltq_s16(v));
    vst2q_s32(sum, both);
#else
    for (; count > 0; count--, x += pitch) {
        for (int32_t c = 0; c < n; c++) {
            sum[c] += x[c];
        }
    }
#endif
}
