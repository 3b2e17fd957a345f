#pragma once
#include "common.h"

/* Helpers of element-wise kernels. */

/* x * multiplier * 2^(shift - 31), rounded twice as TFLite does: half up, then half away from zero.
 * Wider than pl_requantize: |x| * 2^max(shift, 0) <= 2^31, any multiplier, shift in [-31, 30].
 */
static inline int32_t pl_rescale(int32_t x, int32_t multiplier, int32_t shift)
{
    const int32_t left = shift > 0 ? shift : 0;
    const int64_t shifted = (int64_t)x * ((int64_t)1 << left);
    const int32_t high = (int32_t)((shifted * multiplier + ((int64_t)1 << 30)) >> 31);
    const int32_t mask = (int32_t)((1u << (left - shift)) - 1u);
    const int32_t threshold = (mask >> 1) + (high < 0 ? 1 : 0);
    return (high >> (left - shift)) + ((high & mask) > threshold ? 1 : 0);
}

/* Moves element offsets a and b to the start of run `run` of a broadcast. Runs follow each other in
 * the output; `outer` holds (count, stride of a, stride of b) of the dimensions outside a run,
 * innermost first; strides are in elements, 0 along broadcast dimensions.
 */
static inline void pl_broadcast(const int32_t *outer, int32_t dims, int32_t run, int32_t *a,
                                int32_t *b)
{
    for (int32_t d = 0; d < dims; d++, outer += 3) {
        const int32_t i = run % outer[0];
        run /= outer[0];
        *a += i * outer[1];
        *b += i * outer[2];
    }
}
