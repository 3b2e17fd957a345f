#pragma once
#include "channels_s8.h"

/* int32 sums of products become int8 outputs:
 *
 *   y[i][oc] = clamp(requantize(sums[i][oc] + bias[oc])),  i < pixels
 *
 * Aliasing: y may begin where sums do: outputs are written in order, each behind its sum was read.
 * No scratch. Bounds: as of pl_requantize where the result matters; sum and left shift are taken
 * modulo 2^32.
 */
typedef struct {
    int32_t out_c;
    pl_channels_s8 channels;
} pl_finish_sums_s8_params;

/* An accumulator: sum and bias modulo 2^32. */
static inline int32_t pl_with_bias(int32_t sum, int32_t bias)
{
    return (int32_t)((uint32_t)sum + (uint32_t)bias);
}
