#pragma once
#include "copy.h"

/* Padding: constant elements of 1, 2 or 4 bytes, y[i] = value, i < count.
 *
 * `value` holds the element's bits. y needs no alignment. No scratch. The padded tensor's interior
 * is copied by pl_copy, pl_copy2d or pl_copy_nd.
 */
static inline void pl_fill8(uint8_t *y, uint32_t value, int32_t count)
{
    memset(y, (int)value, (size_t)count);
}

static inline void pl_fill16(uint8_t *y, uint32_t value, int32_t count)
{
    const uint16_t element = (uint16_t)value;
    for (int32_t i = 0; i < count; i++) {
        memcpy(y + (ptrdiff_t)2 * i, &element, 2);
    }
}

static inline void pl_fill32(uint8_t *y, uint32_t value, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        memcpy(y + (ptrdiff_t)4 * i, &value, 4);
    }
}
