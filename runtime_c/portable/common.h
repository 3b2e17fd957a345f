/* Helpers shared by the portable kernels. SPDX-License-Identifier: 0BSD
 *
 * What is assumed of the compiler beyond C99 is asserted here: two's complement int32_t and
 * arithmetic right shift of negative values (every compiler for the supported cores).
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef char pl_assert_arithmetic_shift[((-1) >> 1) == -1 ? 1 : -1];

/* For inner loops that deserve all registers of their own. */
#if defined(__GNUC__) || defined(__clang__)
#define PL_NOINLINE __attribute__((noinline))
#else
#define PL_NOINLINE
#endif

/* For kernels that are told by constant arguments which of several functions or types they are: only what
 * a call asks for is left of them, and only that part of libm is linked. */
#if defined(__GNUC__) || defined(__clang__)
#define PL_INLINE inline __attribute__((always_inline))
#else
#define PL_INLINE inline
#endif

/* x clamped to [low, high]. */
static inline int32_t pl_clamp(int32_t x, int32_t low, int32_t high)
{
    return x < low ? low : x > high ? high : x;
}

/* acc * multiplier * 2^(shift - 31), rounded twice as TFLite does, plus zero_point.
 * Bounds: |acc| * 2^max(shift, 0) < 2^30, multiplier in [0, 2^31), shift in [-31, 30].
 *
 * The first rounding is the high half of a 64-bit product (the accumulator is doubled so that the
 * rounded result is the upper word: one SMMULR on cores that have it), ties up. The second is a
 * right shift, ties away from zero: adding the sign (-1 for negatives) before adding half.
 */
static inline int32_t pl_requantize(int32_t acc, int32_t multiplier, int32_t shift, int32_t zero_point)
{
    const int32_t left = shift > 0 ? shift : 0;
    const int32_t right = left - shift;
    const int32_t doubled = acc * (int32_t)(2u << left);
    const int32_t high = (int32_t)(((int64_t)doubled * multiplier + (int64_t)0x80000000) >> 32);
    const int32_t sign = right > 0 ? high >> 31 : 0;
    const int32_t half = (int32_t)((1u << right) >> 1);
    return ((high + sign + half) >> right) + zero_point;
}

/* gcc 12 folds vector comparisons of row numbers that it knows to wrong masks on cores with Helium, so
 * that rows outside the input are read: there, they are made unknown. */
#if defined(__GNUC__) && defined(__ARM_FEATURE_MVE)
#define PL_UNKNOWN(x) __asm__("" : "+r"(x))
#else
#define PL_UNKNOWN(x) ((void)(x))
#endif

/* Row pointers for one output row: rows[i] is input row first + i * dilation, or `pad` where that
 * row is outside [0, height). `pitch_bytes` is the distance between rows of x.
 */
static inline void pl_rows(const void **rows, int32_t taps, const void *x, int32_t pitch_bytes,
                           int32_t first, int32_t dilation, int32_t height, const void *pad)
{
    PL_UNKNOWN(first);
    for (int32_t i = 0; i < taps; i++) {
        const int32_t r = first + i * dilation;
        rows[i] = r < 0 || r >= height ? pad : (const uint8_t *)x + (ptrdiff_t)r * pitch_bytes;
    }
}

/* Slot of a row in a ring of `ring` rows. */
static inline int32_t pl_slot(int32_t row, int32_t ring)
{
    return row % ring;
}

/* Row pointers into a ring: row r of the `height` rows of the map is in slot r modulo `ring`. */
static inline void pl_ring_rows(const void **rows, int32_t taps, const void *x, int32_t pitch_bytes,
                                int32_t first, int32_t dilation, int32_t height, const void *pad,
                                int32_t ring)
{
    PL_UNKNOWN(first);
    for (int32_t i = 0; i < taps; i++) {
        const int32_t r = first + i * dilation;
        rows[i] = r < 0 || r >= height
                      ? pad
                      : (const uint8_t *)x + (ptrdiff_t)pl_slot(r, ring) * pitch_bytes;
    }
}

/* How many of the `size` rows of a map are needed before row `row` of the next can be computed. */
static inline int32_t pl_until(int32_t row, int32_t stride, int32_t ahead, int32_t size)
{
    const int32_t end = row * stride + ahead;
    return end < size ? end : size;
}

/* The same where a row of the next map is `stride` / `up` rows of this one further on. */
static inline int32_t pl_until_of(int32_t row, int32_t stride, int32_t up, int32_t ahead, int32_t size)
{
    return pl_clamp((row * stride + ahead) / up, 0, size);
}

/* Rows of the next call: `unit`, or what is left of `rows`. */
static inline int32_t pl_left(int32_t done, int32_t unit, int32_t rows)
{
    return rows - done < unit ? rows - done : unit;
}
