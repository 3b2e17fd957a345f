#pragma once
#include "../portable/common.h"

/* What the kernels for Arm cores with the DSP extension are made of: one function per instruction,
 * beside each its meaning in C, so that the same kernels run (and are tested) on any machine.
 *
 * A word is two signed halfwords, "lanes": low is bits 0..15, high bits 16..31.
 */

/* For functions whose callers pass them the functions to call, which must be known when those are
 * compiled. */
#if defined(__GNUC__) || defined(__clang__)
#define PL_DSP_INLINE inline __attribute__((always_inline))
#else
#define PL_DSP_INLINE inline
#endif

static inline int32_t pl_ld32(const void *p)
{
    int32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void pl_st32(void *p, int32_t v)
{
    memcpy(p, &v, sizeof v);
}

static inline int32_t pl_low(int32_t v)
{
    return (int16_t)(v & 0xFFFF);
}

static inline int32_t pl_high(int32_t v)
{
    return v >> 16;
}

static inline int32_t pl_lanes(int32_t low, int32_t high)
{
    return (int32_t)((uint32_t)low & 0xFFFFu) | (int32_t)((uint32_t)high << 16);
}

/* Sums wrap as the instructions' do. */
static inline int32_t pl_wrapping_add(int32_t a, int32_t b)
{
    return (int32_t)((uint32_t)a + (uint32_t)b);
}

static inline int32_t pl_wrapping_sub(int32_t a, int32_t b)
{
    return (int32_t)((uint32_t)a - (uint32_t)b);
}

#if defined(__GNUC__) && defined(__ARM_FEATURE_DSP)

/* In assembly, a jump over the first 0 to 8 bodies of the loop at label 3 that follows, by a table
 * of bytes or halfwords; `half` is half the bytes of code of a body.
 */
#define PL_SKIP_ENTRIES(half)                                                                      \
    "(3f-9b)/2, (3f-9b)/2+" half ", (3f-9b)/2+2*" half ", (3f-9b)/2+3*" half ", (3f-9b)/2+4*" half \
    ", (3f-9b)/2+5*" half ", (3f-9b)/2+6*" half ", (3f-9b)/2+7*" half ", (3f-9b)/2+8*" half "\n\t"
#define PL_SKIP_TABLE(index, half)                                                                 \
    "tbb [pc, " index "]\n9:\n\t.byte " PL_SKIP_ENTRIES(half) ".balign 2\n"
#define PL_SKIP_LONG_TABLE(index, half)                                                            \
    "tbh [pc, " index ", lsl #1]\n9:\n\t.2byte " PL_SKIP_ENTRIES(half)
/* Over the first 0 to 16. */
#define PL_SKIP_LONG_TABLE16(index, half)                                                          \
    PL_SKIP_LONG_TABLE(index, half)                                                                \
    ".2byte (3f-9b)/2+9*" half ", (3f-9b)/2+10*" half ", (3f-9b)/2+11*" half ", (3f-9b)/2+12*"     \
    half                                                                                           \
    ", (3f-9b)/2+13*" half ", (3f-9b)/2+14*" half ", (3f-9b)/2+15*" half ", (3f-9b)/2+16*" half "\n"

/* Bytes 0 and 2, sign extended. */
static inline int32_t pl_sxtb16(int32_t v)
{
    int32_t r;
    __asm__("sxtb16 %0, %1" : "=r"(r) : "r"(v));
    return r;
}

/* Bytes 1 and 3, sign extended. */
static inline int32_t pl_sxtb16_ror8(int32_t v)
{
    int32_t r;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(r) : "r"(v));
    return r;
}

/* Lanes of a plus bytes 0 and 2 of v, sign extended. */
static inline int32_t pl_sxtab16(int32_t a, int32_t v)
{
    int32_t r;
    __asm__("sxtab16 %0, %1, %2" : "=r"(r) : "r"(a), "r"(v));
    return r;
}

/* Lanes of a plus bytes 1 and 3 of v, sign extended. */
static inline int32_t pl_sxtab16_ror8(int32_t a, int32_t v)
{
    int32_t r;
    __asm__("sxtab16 %0, %1, %2, ror #8" : "=r"(r) : "r"(a), "r"(v));
    return r;
}

/* acc + low * low + high * high. */
static inline int32_t pl_smlad(int32_t a, int32_t b, int32_t acc)
{
    int32_t r;
    __asm__("smlad %0, %1, %2, %3" : "=r"(r) : "r"(a), "r"(b), "r"(acc));
    return r;
}

/* low * low + high * high. */
static inline int32_t pl_smuad(int32_t a, int32_t b)
{
    int32_t r;
    __asm__("smuad %0, %1, %2" : "=r"(r) : "r"(a), "r"(b));
    return r;
}

/* acc + low(a) * low(b), and so on: bottom (b) and top (t) lanes. */
static inline int32_t pl_smlabb(int32_t a, int32_t b, int32_t acc)
{
    int32_t r;
    __asm__("smlabb %0, %1, %2, %3" : "=r"(r) : "r"(a), "r"(b), "r"(acc));
    return r;
}

static inline int32_t pl_smlabt(int32_t a, int32_t b, int32_t acc)
{
    int32_t r;
    __asm__("smlabt %0, %1, %2, %3" : "=r"(r) : "r"(a), "r"(b), "r"(acc));
    return r;
}

static inline int32_t pl_smlatb(int32_t a, int32_t b, int32_t acc)
{
    int32_t r;
    __asm__("smlatb %0, %1, %2, %3" : "=r"(r) : "r"(a), "r"(b), "r"(acc));
    return r;
}

static inline int32_t pl_smlatt(int32_t a, int32_t b, int32_t acc)
{
    int32_t r;
    __asm__("smlatt %0, %1, %2, %3" : "=r"(r) : "r"(a), "r"(b), "r"(acc));
    return r;
}

/* Upper half of a * b, rounded to nearest, ties up. */
static inline int32_t pl_smmulr(int32_t a, int32_t b)
{
    int32_t r;
    __asm__("smmulr %0, %1, %2" : "=r"(r) : "r"(a), "r"(b));
    return r;
}

/* acc + pl_smmulr(a, b). */
static inline int32_t pl_smmlar(int32_t a, int32_t b, int32_t acc)
{
    int32_t r;
    __asm__("smmlar %0, %1, %2, %3" : "=r"(r) : "r"(a), "r"(b), "r"(acc));
    return r;
}

/* v saturated to [-128, 127]. */
static inline int32_t pl_ssat8(int32_t v)
{
    int32_t r;
    __asm__("ssat %0, #8, %1" : "=r"(r) : "r"(v) : "cc");
    return r;
}

/* Low of a, low of b as high. */
static inline int32_t pl_pkhbt(int32_t a, int32_t b)
{
    int32_t r;
    __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(r) : "r"(a), "r"(b));
    return r;
}

/* High of a as low, high of b. */
static inline int32_t pl_pkhtb(int32_t a, int32_t b)
{
    int32_t r;
    __asm__("pkhtb %0, %1, %2, asr #16" : "=r"(r) : "r"(b), "r"(a));
    return r;
}

/* Lane by lane, wrapping. */
static inline int32_t pl_sadd16(int32_t a, int32_t b)
{
    int32_t r;
    __asm__("sadd16 %0, %1, %2" : "=r"(r) : "r"(a), "r"(b) : "cc");
    return r;
}

static inline int32_t pl_ssub16(int32_t a, int32_t b)
{
    int32_t r;
    __asm__("ssub16 %0, %1, %2" : "=r"(r) : "r"(a), "r"(b) : "cc");
    return r;
}

/* The larger of each signed byte. */
static inline int32_t pl_max4_s8(int32_t a, int32_t b)
{
    int32_t r, t;
    __asm__("ssub8 %1, %2, %3\n\tsel %0, %2, %3" : "=r"(r), "=&r"(t) : "r"(a), "r"(b) : "cc");
    return r;
}

/* The smaller of each signed byte. */
static inline int32_t pl_min4_s8(int32_t a, int32_t b)
{
    int32_t r, t;
    __asm__("ssub8 %1, %2, %3\n\tsel %0, %3, %2" : "=r"(r), "=&r"(t) : "r"(a), "r"(b) : "cc");
    return r;
}

#else

static inline int32_t pl_byte(int32_t v, int32_t i)
{
    return (int8_t)((v >> (8 * i)) & 0xFF);
}

static inline int32_t pl_sxtb16(int32_t v)
{
    return pl_lanes(pl_byte(v, 0), pl_byte(v, 2));
}

static inline int32_t pl_sxtb16_ror8(int32_t v)
{
    return pl_lanes(pl_byte(v, 1), pl_byte(v, 3));
}

static inline int32_t pl_sadd16(int32_t a, int32_t b)
{
    return pl_lanes(pl_low(a) + pl_low(b), pl_high(a) + pl_high(b));
}

static inline int32_t pl_ssub16(int32_t a, int32_t b)
{
    return pl_lanes(pl_low(a) - pl_low(b), pl_high(a) - pl_high(b));
}

static inline int32_t pl_sxtab16(int32_t a, int32_t v)
{
    return pl_sadd16(a, pl_sxtb16(v));
}

static inline int32_t pl_sxtab16_ror8(int32_t a, int32_t v)
{
    return pl_sadd16(a, pl_sxtb16_ror8(v));
}

static inline int32_t pl_smlabb(int32_t a, int32_t b, int32_t acc)
{
    return pl_wrapping_add(acc, pl_low(a) * pl_low(b));
}

static inline int32_t pl_smlabt(int32_t a, int32_t b, int32_t acc)
{
    return pl_wrapping_add(acc, pl_low(a) * pl_high(b));
}

static inline int32_t pl_smlatb(int32_t a, int32_t b, int32_t acc)
{
    return pl_wrapping_add(acc, pl_high(a) * pl_low(b));
}

static inline int32_t pl_smlatt(int32_t a, int32_t b, int32_t acc)
{
    return pl_wrapping_add(acc, pl_high(a) * pl_high(b));
}

static inline int32_t pl_smlad(int32_t a, int32_t b, int32_t acc)
{
    return pl_smlatt(a, b, pl_smlabb(a, b, acc));
}

static inline int32_t pl_smuad(int32_t a, int32_t b)
{
    return pl_smlad(a, b, 0);
}

static inline int32_t pl_smmulr(int32_t a, int32_t b)
{
    return (int32_t)(((int64_t)a * b + (int64_t)0x80000000) >> 32);
}

static inline int32_t pl_smmlar(int32_t a, int32_t b, int32_t acc)
{
    return pl_wrapping_add(acc, pl_smmulr(a, b));
}

static inline int32_t pl_ssat8(int32_t v)
{
    return pl_clamp(v, -128, 127);
}

static inline int32_t pl_pkhbt(int32_t a, int32_t b)
{
    return pl_lanes(a, b);
}

static inline int32_t pl_pkhtb(int32_t a, int32_t b)
{
    return pl_lanes(pl_high(a), pl_high(b));
}

static inline int32_t pl_max4_s8(int32_t a, int32_t b)
{
    uint32_t r = 0;
    for (int32_t i = 0; i < 4; i++) {
        const int32_t x = pl_byte(a, i), y = pl_byte(b, i);
        r |= ((uint32_t)(x > y ? x : y) & 0xFFu) << (8 * i);
    }
    return (int32_t)r;
}

static inline int32_t pl_min4_s8(int32_t a, int32_t b)
{
    uint32_t r = 0;
    for (int32_t i = 0; i < 4; i++) {
        const int32_t x = pl_byte(a, i), y = pl_byte(b, i);
        r |= ((uint32_t)(x < y ? x : y) & 0xFFu) << (8 * i);
    }
    return (int32_t)r;
}

#endif
