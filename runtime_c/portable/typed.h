#pragma once
#include "elementwise.h"

/* Elements of plain types, which a kernel is told by a constant argument. Pointers are to the bytes
 * of the tensor; integers are handled as int64_t and wrap when they are stored, bool is 0 or 1.
 */
typedef enum { PL_B8, PL_U8, PL_S8, PL_S16, PL_S32, PL_S64, PL_F32 } pl_type;

/* Two operands broadcast: the output is `runs` runs of n elements; within a run operand a advances
 * by step_a (0 or 1) and b by step_b, between runs as pl_broadcast says. */
typedef struct {
    int32_t runs, n, step_a, step_b, outer_dims;
    const int32_t *outer; /* [outer_dims][3] */
} pl_broadcast_params;

/* Bytes of one element. */
static PL_INLINE int32_t pl_type_bytes(pl_type type)
{
    return type == PL_S64 ? 8 : type == PL_S32 || type == PL_F32 ? 4 : type == PL_S16 ? 2 : 1;
}

/* Element i of a tensor of integers or bool. */
static PL_INLINE int64_t pl_load(const uint8_t *x, int32_t i, pl_type type)
{
    switch (type) {
    case PL_S64: {
        int64_t v;
        memcpy(&v, x + 8 * (ptrdiff_t)i, sizeof v);
        return v;
    }
    case PL_S32: {
        int32_t v;
        memcpy(&v, x + 4 * (ptrdiff_t)i, sizeof v);
        return v;
    }
    case PL_S16: {
        int16_t v;
        memcpy(&v, x + 2 * (ptrdiff_t)i, sizeof v);
        return v;
    }
    case PL_S8:
        return ((const int8_t *)x)[i];
    default:
        return x[i];
    }
}

/* Element i of a tensor of floats. */
static PL_INLINE float pl_load_f32(const uint8_t *x, int32_t i)
{
    float v;
    memcpy(&v, x + 4 * (ptrdiff_t)i, sizeof v);
    return v;
}

/* y[i] = v, modulo the range of the type. */
static PL_INLINE void pl_store(uint8_t *y, int32_t i, pl_type type, int64_t v)
{
    const int32_t word = (int32_t)v;
    const int16_t half = (int16_t)v;
    switch (type) {
    case PL_S64:
        memcpy(y + 8 * (ptrdiff_t)i, &v, sizeof v);
        break;
    case PL_S32:
        memcpy(y + 4 * (ptrdiff_t)i, &word, sizeof word);
        break;
    case PL_S16:
        memcpy(y + 2 * (ptrdiff_t)i, &half, sizeof half);
        break;
    default:
        y[i] = (uint8_t)v;
    }
}

/* Whether x[i] < y[j]; never for not-a-number. */
static PL_INLINE int pl_less(const uint8_t *x, int32_t i, const uint8_t *y, int32_t j, pl_type type)
{
    return type == PL_F32 ? pl_load_f32(x, i) < pl_load_f32(y, j)
                          : pl_load(x, i, type) < pl_load(y, j, type);
}

/* Whether x[i] == y[j]; never for not-a-number. */
static PL_INLINE int pl_same(const uint8_t *x, int32_t i, const uint8_t *y, int32_t j, pl_type type)
{
    return type == PL_F32 ? pl_load_f32(x, i) == pl_load_f32(y, j)
                          : pl_load(x, i, type) == pl_load(y, j, type);
}

/* Index i of a dimension of `size` elements: negative ones count from the end, those outside are
 * clamped, so that no kernel leaves its operand. */
static PL_INLINE int32_t pl_index(const uint8_t *indices, int32_t i, pl_type type, int32_t size)
{
    const int64_t v = pl_load(indices, i, type);
    const int64_t settled = v < 0 ? v + size : v;
    return settled < 0 ? 0 : settled < size ? (int32_t)settled : size - 1;
}
