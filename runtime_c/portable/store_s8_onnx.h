#pragma once
#include "channels_s8.h"
#include "nearest_even.h"

/* As pl_store_s8, under an ONNX rounding:
 *
 *   y[i] = clamp(nearest even(float32(acc[i] + bias[first + i]) * factor[first + i]) + zero point)
 *
 * Clamped before rounding, since products may be anything a float holds.
 */
static PL_NOINLINE void pl_store_s8_onnx(int8_t *y, const int32_t *acc, int32_t n, int32_t first,
                                         const pl_channels_s8 *c)
{
    const int32_t zero_point = c->zero_point;
    const float low = (float)(c->low - zero_point), high = (float)(c->high - zero_point);
    for (int32_t i = 0; i < n; i++) {
        const float v = (float)(acc[i] + c->bias[first + i]) * pl_factor_s8(c, first + i);
        y[i] = (int8_t)(pl_clamped_nearest_even(v, low, high) + zero_point);
    }
}
