#pragma once
#include "../portable/common.h"

/* For bodies that several functions specialise by constant arguments. */
#if defined(__GNUC__) || defined(__clang__)
#define PL_INLINE inline __attribute__((always_inline))
#else
#define PL_INLINE inline
#endif

/* Assembly in full rather than by .rept: compilers take its length from the number of lines. */
#define PL_3_TIMES(text) text text text
#define PL_4_TIMES(text) text text text text

#if defined(__GNUC__) && defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB >= 2
static PL_INLINE int32_t pl_saturate_s8(int32_t v)
{
    int32_t r;
    __asm__("ssat %0, #8, %1" : "=r"(r) : "r"(v) : "cc");
    return r;
}
#else
/* v clamped to [-128, 127]. */
static PL_INLINE int32_t pl_saturate_s8(int32_t v)
{
    return pl_clamp(v, INT8_MIN, INT8_MAX);
}
#endif
