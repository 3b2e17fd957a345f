#pragma once
#include "copy.h"
#include "typed.h"

/* What becomes of an element that an update meets. */
typedef enum {
    PL_SCATTER_NONE,
    PL_SCATTER_ADD,
    PL_SCATTER_MUL,
    PL_SCATTER_MAX,
    PL_SCATTER_MIN
} pl_scatter;

/* y[at] meets updates[i]; integers wrap, not-a-number stays. */
static PL_INLINE void pl_scatter_one(uint8_t *y, int32_t at, const uint8_t *updates, int32_t i,
                                     pl_type type, pl_scatter reduction)
{
    const int32_t bytes = pl_type_bytes(type);
    if (reduction == PL_SCATTER_NONE) {
        memcpy(y + (ptrdiff_t)at * bytes, updates + (ptrdiff_t)i * bytes, (size_t)bytes);
    } else if (type == PL_F32) {
        const float old = pl_load_f32(y, at), v = pl_load_f32(updates, i);
        const float result = reduction == PL_SCATTER_ADD   ? old + v
                             : reduction == PL_SCATTER_MUL ? old * v
                             : reduction == PL_SCATTER_MAX ? (v > old || v != v ? v : old)
                                                           : (v < old || v != v ? v : old);
        memcpy(y + 4 * (ptrdiff_t)at, &result, sizeof result);
    } else {
        const int64_t old = pl_load(y, at, type), v = pl_load(updates, i, type);
        const uint64_t a = (uint64_t)old, b = (uint64_t)v;
        const int64_t result = reduction == PL_SCATTER_ADD   ? (int64_t)(a + b)
                               : reduction == PL_SCATTER_MUL ? (int64_t)(a * b)
                               : reduction == PL_SCATTER_MAX ? (v > old ? v : old)
                                                             : (v < old ? v : old);
        pl_store(y, at, type, result);
    }
}
