#pragma once
#include "common_dsp.h"

/* n outputs at y, which saturated at the ends of int8, clamped to [low, high]: for the few layers
 * whose activation ends elsewhere.
 */
static PL_NOINLINE void pl_dw_clamp(int8_t *y, int32_t n, int32_t low, int32_t high)
{
    const int32_t low4 = (int32_t)(((uint32_t)low & 0xFFu) * 0x01010101u);
    const int32_t high4 = (int32_t)(((uint32_t)high & 0xFFu) * 0x01010101u);
    if (low == INT8_MIN && high == INT8_MAX) {
        return;
    }
    for (; n >= 4; n -= 4, y += 4) {
        pl_st32(y, pl_min4_s8(pl_max4_s8(pl_ld32(y), low4), high4));
    }
    for (; n > 0; n--, y++) {
        *y = (int8_t)pl_clamp(*y, low, high);
    }
}
