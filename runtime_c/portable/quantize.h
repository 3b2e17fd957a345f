#pragma once
#include "elementwise.h"

/* Requantization of integers.
 *
 *   y = clamp(rescale(x - zero_x, multiplier, shift) + zero_y, low, high)
 *
 * Bounds: |x - zero_x| <= 2^31 and below 2^30 after the left shift of a positive `shift`; the zero
 * points of 32-bit tensors are 0.
 */
typedef struct {
    int32_t zero_x, zero_y, multiplier, shift, low, high;
} pl_quantize_params;

static inline int32_t pl_quantize_element(int32_t x, const pl_quantize_params *p)
{
    const int32_t v = pl_rescale(x - p->zero_x, p->multiplier, p->shift);
    return pl_clamp(v + p->zero_y, p->low, p->high);
}
