#pragma once
#include "common_scalar.h"

/* Two products by one multiplication.
 *
 * A word holds two values as low + 65536 * high. Its products with a byte, added up modulo 2^32,
 * are S0 + 65536 * S1 with the sums of both. They can be told apart while S0 is in [-2^15, 2^15)
 * and S1 likewise: then S1 is the sum + 2^15, shifted right by 16. Sums are therefore taken in
 * chunks short enough for the worst case of the constant side, which are found when the code is
 * generated. The total of the chunks' words (`total`, modulo 2^32) and of their upper halves
 * (`upper`) give both sums: S1 = upper, S0 = total - 65536 * upper.
 *
 * A list of chunks is the length (1 to 16) of each, then 0.
 */
enum { PL_HALF = 0x8000 };

static inline uint32_t pl_pair(int32_t low, int32_t high)
{
    return (uint32_t)low + ((uint32_t)high << 16);
}

/* What a chunk's sum, which began at PL_HALF, adds to the upper half. */
static inline int32_t pl_upper(uint32_t sum)
{
    return (int32_t)sum >> 16;
}

#if defined(__GNUC__)
#define PL_FALLTHROUGH __attribute__((fallthrough))
#else
#define PL_FALLTHROUGH ((void)0)
#endif

/* One round of a chunk of two pairs, `i` before its end. */
#define PL_PAIRS2_ROUND(i) \
    case i: { \
        const uint32_t byte = (uint32_t)(int32_t)bytes[-(i)]; \
        sum0 += byte * words[-2 * (i)]; \
        sum1 += byte * words[-2 * (i) + 1]; \
    }

/* The same of one pair. */
#define PL_PAIRS1_ROUND(i) \
    case i: \
        sum0 += (uint32_t)(int32_t)bytes[-(i)] * words[-(i)];

/* A chunk of n rounds: a jump into all of them in a row. */
#define PL_CHUNK_ROUNDS(n, round) \
    switch (n) { \
        round(16) PL_FALLTHROUGH; \
        round(15) PL_FALLTHROUGH; \
        round(14) PL_FALLTHROUGH; \
        round(13) PL_FALLTHROUGH; \
        round(12) PL_FALLTHROUGH; \
        round(11) PL_FALLTHROUGH; \
        round(10) PL_FALLTHROUGH; \
        round(9) PL_FALLTHROUGH; \
        round(8) PL_FALLTHROUGH; \
        round(7) PL_FALLTHROUGH; \
        round(6) PL_FALLTHROUGH; \
        round(5) PL_FALLTHROUGH; \
        round(4) PL_FALLTHROUGH; \
        round(3) PL_FALLTHROUGH; \
        round(2) PL_FALLTHROUGH; \
        round(1) break; \
    default: \
        break; /* no chunk is longer */ \
    }

#if defined(__GNUC__) && defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB >= 2
/* In C, compilers separate the loads, which costs a cycle each on Cortex-M3, and test the range of
 * n.
 */
static PL_INLINE const uint8_t *pl_sum_pairs2(const uint32_t *words, const int8_t *bytes,
                                              const uint8_t *chunks, uint32_t total[2],
                                              int32_t upper[2])
{
    uint32_t total0 = 0, total1 = 0, sum0, sum1, word0, word1, byte;
    int32_t upper0 = 0, upper1 = 0;
    __asm__("2:  ldrb.w %[byte], [%[chunks]], #1\n"
            "    mov.w  %[sum0], #0x8000\n"
            "    mov.w  %[sum1], #0x8000\n"
            "    tbb    [pc, %[byte]]\n"
            /* A chunk of no rounds is the end of the list; a round is 20 bytes long. One entry more
             * makes the table whole halfwords. */
            "4:  .byte  (3f-4b)/2\n"
            "    .irp   n, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 16\n"
            "    .byte  (1f-4b)/2-10*\\n\n"
            "    .endr\n"
            PL_4_TIMES(PL_4_TIMES("    ldrsb.w %[byte], [%[bytes]], #1\n"
                                  "    ldr.w  %[word0], [%[words]], #4\n"
                                  "    ldr.w  %[word1], [%[words]], #4\n"
                                  "    mla    %[sum0], %[byte], %[word0], %[sum0]\n"
                                  "    mla    %[sum1], %[byte], %[word1], %[sum1]\n"))
            "1:  add    %[total0], %[total0], %[sum0]\n"
            "    add    %[total1], %[total1], %[sum1]\n"
            "    add    %[upper0], %[upper0], %[sum0], asr #16\n"
            "    add    %[upper1], %[upper1], %[sum1], asr #16\n"
            "    b      2b\n"
            "3:\n"
            : [words] "+r"(words), [bytes] "+r"(bytes), [chunks] "+r"(chunks),
              [total0] "+r"(total0), [total1] "+r"(total1), [upper0] "+r"(upper0),
              [upper1] "+r"(upper1), [sum0] "=&r"(sum0), [sum1] "=&r"(sum1),
              [word0] "=&r"(word0), [word1] "=&r"(word1), [byte] "=&r"(byte)
            :
            : "cc", "memory");
    total[0] = total0;
    total[1] = total1;
    upper[0] = upper0;
    upper[1] = upper1;
    return chunks;
}
#else
/* Totals and sums of upper halves, over all chunks of the list, of words[2 * i] and words[2 * i +
 * 1] times bytes[i]. Returns the end of the list. */
static PL_INLINE const uint8_t *pl_sum_pairs2(const uint32_t *words, const int8_t *bytes,
                                              const uint8_t *chunks, uint32_t total[2],
                                              int32_t upper[2])
{
    uint32_t total0 = 0, total1 = 0;
    int32_t upper0 = 0, upper1 = 0;
    for (int32_t n; (n = *chunks++) != 0;) {
        uint32_t sum0 = PL_HALF, sum1 = PL_HALF;
        words += 2 * n;
        bytes += n;
        PL_CHUNK_ROUNDS(n, PL_PAIRS2_ROUND)
        total0 += sum0;
        total1 += sum1;
        upper0 += pl_upper(sum0);
        upper1 += pl_upper(sum1);
    }
    total[0] = total0;
    total[1] = total1;
    upper[0] = upper0;
    upper[1] = upper1;
    return chunks;
}
#endif

/* What the chunks' beginning at PL_HALF has added to a total. */
static inline uint32_t pl_halves(const uint8_t *chunks, const uint8_t *end)
{
    return (uint32_t)(end - chunks - 1) * PL_HALF;
}

/* acc[0..3] = sums over i of words[2 * i] (low, high) and words[2 * i + 1] times bytes[i], over
 * all chunks of the list, whose end is returned. */
static PL_INLINE const uint8_t *pl_dot_pairs2(const uint32_t *words, const int8_t *bytes,
                                              const uint8_t *chunks, int32_t acc[4])
{
    uint32_t total[2];
    int32_t upper[2];
    const uint8_t *end = pl_sum_pairs2(words, bytes, chunks, total, upper);
    const uint32_t halves = pl_halves(chunks, end);
    acc[0] = (int32_t)(total[0] - halves - ((uint32_t)upper[0] << 16));
    acc[1] = upper[0];
    acc[2] = (int32_t)(total[1] - halves - ((uint32_t)upper[1] << 16));
    acc[3] = upper[1];
    return end;
}

/* acc[0], acc[1] = sums over i of words[i] (low, high) times bytes[i]. */
static PL_INLINE const uint8_t *pl_dot_pairs1(const uint32_t *words, const int8_t *bytes,
                                              const uint8_t *chunks, int32_t acc[2])
{
    const uint8_t *end = chunks;
    int32_t upper0 = 0;
    uint32_t total0 = 0;
    for (int32_t n; (n = *end++) != 0;) {
        uint32_t sum0 = PL_HALF;
        words += n;
        bytes += n;
        PL_CHUNK_ROUNDS(n, PL_PAIRS1_ROUND)
        total0 += sum0;
        upper0 += pl_upper(sum0);
    }
    acc[0] = (int32_t)(total0 - pl_halves(chunks, end) - ((uint32_t)upper0 << 16));
    acc[1] = upper0;
    return end;
}
