#pragma once
#include "common.h"

/* Elements from the start of a tensor to position `i` of some of its dimensions, walked in order.
 * `dims` holds (count, stride in elements), innermost first.
 */
static inline int32_t pl_offset(const int32_t *dims, int32_t count, int32_t i)
{
    int32_t offset = 0;
    for (int32_t d = 0; d < count; d++, dims += 2) {
        offset += i % dims[0] * dims[1];
        i /= dims[0];
    }
    return offset;
}
