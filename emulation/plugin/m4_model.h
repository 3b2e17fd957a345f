/* Cortex-M4 cycle model: the cost of one Thumb instruction, decoded from its encoding.
 *
 * In-order, zero-wait memory, after the timing table of the Cortex-M4 Technical Reference Manual:
 * every instruction 1 cycle; LDR 2, or 1 right after another single load or store; STR 1; LDRD/STRD 3;
 * LDM/STM/PUSH/POP 1+N; UDIV/SDIV 6; VLDR/VSTR 2 (3 for a double); VLDM/VSTM 1+N 32-bit words; IT 0.
 * The +2 of a taken branch depends on where control goes and is added by the caller.
 * Section numbers (A5, A6, A7) are those of the ARMv7-M Architecture Reference Manual.
 */
#ifndef PATCHLOOM_M4_MODEL_H
#define PATCHLOOM_M4_MODEL_H

#include <stdint.h>

#define M4_TAKEN_BRANCH_CYCLES 2

enum access_kind { ACCESS_OTHER, ACCESS_SINGLE_LOAD, ACCESS_SINGLE_STORE };

/* `cycles` of a single load is its unpaired cost, 2. */
struct insn_cost {
    uint8_t cycles;
    uint8_t access;
};

static struct insn_cost m4_cost(unsigned cycles, enum access_kind access)
{
    struct insn_cost c = {(uint8_t)cycles, (uint8_t)access};
    return c;
}

static struct insn_cost m4_single(int is_load)
{
    return is_load ? m4_cost(2, ACCESS_SINGLE_LOAD) : m4_cost(1, ACCESS_SINGLE_STORE);
}

static struct insn_cost m4_multiple(unsigned register_mask)
{
    return m4_cost(1u + (unsigned)__builtin_popcount(register_mask), ACCESS_OTHER);
}

/* A5.2: 16-bit encodings. */
static struct insn_cost m4_narrow(unsigned h)
{
    if (h >> 11 == 0x09) { /* LDR literal */
        return m4_single(1);
    }
    if (h >> 12 == 0x5) { /* register offset: STR STRH STRB LDRSB LDR LDRH LDRB LDRSH */
        return m4_single(((h >> 9) & 7) >= 3);
    }
    if (h >> 13 == 0x3 || h >> 12 == 0x8 || h >> 12 == 0x9) { /* immediate or SP offset, bit 11 is L */
        return m4_single((h >> 11) & 1);
    }
    if ((h & 0xFE00) == 0xB400 || (h & 0xFE00) == 0xBC00) { /* PUSH, POP: bit 8 is LR or PC */
        return m4_multiple(h & 0x1FF);
    }
    if (h >> 12 == 0xC) { /* STM, LDM */
        return m4_multiple(h & 0xFF);
    }
    if ((h & 0xFF00) == 0xBF00 && (h & 0xF) != 0) { /* IT is folded into the previous fetch */
        return m4_cost(0, ACCESS_OTHER);
    }
    return m4_cost(1, ACCESS_OTHER);
}

/* A5.3.6: load/store dual, load/store exclusive, table branch; h1 = 1110 100 op1 1 op2 Rn. */
static struct insn_cost m4_dual_or_exclusive(unsigned h1, unsigned h2)
{
    unsigned op1 = (h1 >> 7) & 3, op2 = (h1 >> 4) & 3;
    if ((op1 & 2) != 0 || (op2 & 2) != 0) { /* LDRD, STRD */
        return m4_cost(3, ACCESS_OTHER);
    }
    if (op1 == 0) { /* STREX, LDREX */
        return m4_single(op2 == 1);
    }
    if (op2 == 1 && ((h2 >> 4) & 0xE) == 0) { /* TBB, TBH: 1 here, +2 as a taken branch */
        return m4_cost(1, ACCESS_OTHER);
    }
    return m4_single(op2 == 1); /* STREXB/H, LDREXB/H */
}

/* A6.5 and A6.6: h1 = 1110 110 P U D W L Rn, coprocessor 10 single, 11 double. */
static struct insn_cost m4_fp_load_store(unsigned h1, unsigned h2)
{
    unsigned p = (h1 >> 8) & 1, u = (h1 >> 7) & 1, w = (h1 >> 5) & 1;
    unsigned is_double = ((h2 >> 8) & 0xF) == 11;
    if (p && !w) { /* VLDR, VSTR */
        return m4_cost(2u + is_double, ACCESS_OTHER);
    }
    if (!p && !u) { /* VMOV between two core registers and the FPU */
        return m4_cost(1, ACCESS_OTHER);
    }
    /* VLDM, VSTM, VPUSH, VPOP: imm8 counts words, doubles have an even count */
    return m4_cost(1u + (is_double ? h2 & 0xFEu : h2 & 0xFFu), ACCESS_OTHER);
}

/* A5.3.7 to A5.3.10: h1 = 1111 100 op2 ..., the single loads, stores and memory hints. */
static struct insn_cost m4_wide_single(unsigned h1, unsigned h2)
{
    if ((h1 & 0x0010) == 0) {
        return m4_single(0);
    }
    int is_word = (h1 & 0x0060) == 0x0040;
    if (!is_word && h2 >> 12 == 15) { /* PLD, PLI and unallocated hints */
        return m4_cost(1, ACCESS_OTHER);
    }
    return m4_single(1);
}

/* A5.3: 32-bit encodings. */
static struct insn_cost m4_wide(unsigned h1, unsigned h2)
{
    unsigned coprocessor = (h2 >> 8) & 0xF;
    if ((h1 & 0xFE40) == 0xE800) { /* STM, LDM, PUSH.W, POP.W */
        return m4_multiple(h2);
    }
    if ((h1 & 0xFE40) == 0xE840) {
        return m4_dual_or_exclusive(h1, h2);
    }
    if ((h1 & 0xFE00) == 0xEC00 && (coprocessor == 10 || coprocessor == 11)) {
        return m4_fp_load_store(h1, h2);
    }
    if ((h1 & 0xFE00) == 0xF800) {
        return m4_wide_single(h1, h2);
    }
    if (((h1 & 0xFFF0) == 0xFB90 || (h1 & 0xFFF0) == 0xFBB0) && (h2 & 0xF0) == 0xF0) { /* SDIV, UDIV */
        return m4_cost(6, ACCESS_OTHER);
    }
    return m4_cost(1, ACCESS_OTHER);
}

#endif
