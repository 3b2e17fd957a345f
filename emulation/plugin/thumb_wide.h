/* Decoding of 32-bit Thumb instructions (A5.3 of the ARMv7-M Architecture Reference Manual), with
 * the branches and loops of ARMv8.1-M. Coprocessor space, FPU and Helium: thumb_vector.h.
 *
 * h1 and h2 are the two halfwords, the one at the lower address first.
 */
#ifndef PATCHLOOM_THUMB_WIDE_H
#define PATCHLOOM_THUMB_WIDE_H

#include "insn.h"

static uint64_t reg_but_pc(unsigned number)
{
    return number == 15 ? 0 : reg(number);
}

static void wide_access(struct insn *i, bool is_load, unsigned t)
{
    i->kind = is_load ? KIND_LOAD : KIND_STORE;
    i->words = 1;
    *(is_load ? &i->writes : &i->late) = reg_but_pc(t);
    i->to_pc = is_load && t == 15;
}

/* A5.3.5: h1 = 1110 100 op 0 W L Rn. */
static void wide_multiple(unsigned h1, unsigned h2, struct insn *i)
{
    bool is_load = (h1 >> 4) & 1;
    i->kind = is_load ? KIND_LOAD_MULTIPLE : KIND_STORE_MULTIPLE;
    i->words = (uint8_t)__builtin_popcount(h2);
    i->reads = reg_but_pc(h1 & 15);
    i->updates = (h1 & 0x20) ? reg(h1 & 15) : 0;
    *(is_load ? &i->writes : &i->late) = h2 & 0x7FFF;
    i->to_pc = is_load && (h2 >> 15) != 0;
}

/* A5.3.6: load/store dual, load/store exclusive, table branch; h1 = 1110 100 op1 1 op2 Rn. */
static void wide_dual_or_exclusive(unsigned h1, unsigned h2, struct insn *i)
{
    unsigned op1 = (h1 >> 7) & 3, op2 = (h1 >> 4) & 3, t = h2 >> 12, t2 = (h2 >> 8) & 15;
    i->reads = reg_but_pc(h1 & 15);
    if ((op1 & 2) != 0 || (op2 & 2) != 0) {
        bool is_load = op2 & 1;
        i->kind = is_load ? KIND_LOAD_DUAL : KIND_STORE_DUAL;
        i->words = 2;
        *(is_load ? &i->writes : &i->late) = reg_but_pc(t) | reg_but_pc(t2);
        i->updates = (op2 & 2) ? reg(h1 & 15) : 0;
    } else if (op1 == 1 && op2 == 1 && ((h2 >> 4) & 0xE) == 0) { /* TBB, TBH */
        i->kind = KIND_BRANCH_REGISTER;
        i->to_pc = true;
        i->reads |= reg(h2 & 15);
    } else { /* LDREX, STREX of a word, byte or halfword */
        wide_access(i, op2 == 1, t);
        i->updates = op2 == 1 ? 0 : reg_but_pc(op1 == 0 ? t2 : h2 & 15);
    }
}

/* A5.3.7 to A5.3.10: h1 = 1111 100 sign A size L Rn; A is a 12-bit offset. */
static void wide_single(unsigned h1, unsigned h2, struct insn *i)
{
    unsigned size = (h1 >> 5) & 3, n = h1 & 15;
    bool is_load = (h1 >> 4) & 1;
    wide_access(i, is_load, h2 >> 12);
    i->reads = reg_but_pc(n);
    i->is_subword = is_load && size != 2;
    if (n != 15 && (h1 & 0x80) == 0) {
        if ((h2 & 0x0800) == 0) {
            i->reads |= reg_but_pc(h2 & 15);
        } else if (h2 & 0x0100) {
            i->updates = reg(n);
        }
    }
    if (i->is_subword && i->to_pc) { /* PLD, PLI and unallocated hints */
        i->kind = KIND_NOP;
        i->to_pc = false;
    }
}

/* A5.3.1, A5.3.11: the two-operand operations, op = 0 to 15; n = 15 is a move, d = 15 a
 * comparison. */
static void wide_operation(unsigned h1, unsigned h2, struct insn *i)
{
    unsigned op = (h1 >> 5) & 15, n = h1 & 15, d = (h2 >> 8) & 15;
    i->kind = KIND_ALU;
    i->reads |= reg_but_pc(n) | (op == 10 || op == 11 ? reg(REG_FLAGS) : 0);
    i->writes = reg_but_pc(d) | ((h1 & 0x10) ? reg(REG_FLAGS) : 0);
}

/* A5.3.11 with a register, h1 = 1110 101 op S Rn; the rest of the space has the shifts of one or
 * two registers and the conditional selections of ARMv8.1-M. */
static void wide_shifted_register(unsigned h1, unsigned h2, struct insn *i)
{
    unsigned shift = ((h2 >> 10) & 0x1C) | ((h2 >> 6) & 3), m = h2 & 15;
    wide_operation(h1, h2, i);
    if ((h1 & 0xFFF0) == 0xEA50 && (h2 & 0x8000) != 0) { /* CSEL, CSINC, CSINV, CSNEG */
        i->reads |= reg_but_pc(m) | reg(REG_FLAGS);
        i->writes = reg((h2 >> 8) & 15);
    } else if ((h1 & 0xFFF0) == 0xEA50 && (m == 13 || m == 15)) { /* ASRL, LSLL, SQRSHR, ... */
        unsigned high = (h2 >> 8) & 15;
        uint64_t amount = m == 13 || (h2 & 0x10) != 0 ? reg_but_pc(h2 >> 12) : 0;
        i->kind = KIND_SHIFT;
        i->writes = high == 15 ? reg(h1 & 15) : reg(h1 & 14) | reg(high);
        i->reads = i->writes | amount;
    } else {
        i->kind = shift != 0 || (h2 & 0x30) != 0 ? KIND_SHIFT : KIND_ALU;
        i->reads |= reg(m);
    }
}

/* A5.3.3: h1 = 1111 0x1 op Rn: 12 and 16-bit immediates, saturation, bit fields. */
static void wide_plain_immediate(unsigned h1, unsigned h2, struct insn *i)
{
    unsigned op = (h1 >> 4) & 31, d = (h2 >> 8) & 15;
    bool is_move = op == 4 || op == 12;
    bool is_saturation = op >= 16 && (op & 4) == 0;
    i->kind = is_saturation ? KIND_SATURATE : op >= 16 ? KIND_SIMD : KIND_ALU;
    i->reads = is_move ? 0 : reg_but_pc(h1 & 15);
    i->reads |= op == 12 || op == 22 ? reg(d) : 0; /* MOVT and BFI keep the other bits */
    i->writes = reg(d);
}

/* Low-overhead loops of ARMv8.1-M: WLS, DLS, LE, LCTP and their tail-predicated forms. */
static void wide_loop(unsigned h1, unsigned h2, struct insn *i)
{
    bool is_end = (h2 & 0x2000) == 0 && (h1 & 0xF) == 0xF;
    if ((h2 & 0x2000) != 0 && (h1 & 0xF) == 0xF) { /* LCTP */
        i->kind = KIND_MVE_CONTROL;
        return;
    }
    i->kind = is_end ? KIND_LOOP_END : KIND_LOOP_START;
    i->reads = is_end ? reg(14) : reg(h1 & 15);
    i->writes = reg(14);
    i->is_backward = is_end;
    i->is_conditional = (h2 & 0x2000) == 0;
    i->to_pc = i->is_conditional;
}

/* A5.3.4: h1 = 1111 0x..., h2 = 1x...: branches, special registers, barriers. */
static void wide_branch(unsigned h1, unsigned h2, struct insn *i)
{
    if ((h1 & 0xFFC0) == 0xF000 && h2 == 0xE801) { /* VCTP */
        i->kind = KIND_MVE_CONTROL;
        i->reads = reg(h1 & 15);
        i->writes = reg(REG_VPR);
        i->latency = 1;
    } else if (((h1 & 0xFFC0) == 0xF000 || (h1 & 0xFFF0) == 0xF040) && (h2 & 0xD001) == 0xC001) {
        wide_loop(h1, h2, i);
    } else if ((h2 & 0xD000) == 0xD000) {
        i->kind = KIND_CALL;
        i->to_pc = true;
        i->writes = reg(14);
    } else if ((h2 & 0xD000) == 0x9000 || (h1 & 0x0380) != 0x0380) {
        i->kind = KIND_BRANCH;
        i->to_pc = true;
        i->is_conditional = (h2 & 0x1000) == 0;
        i->is_backward = (h1 >> 10) & 1;
    } else if (h1 == 0xF3AF) { /* NOP.W and other hints */
        i->kind = KIND_NOP;
    } else {
        i->kind = KIND_SYSTEM;
        i->writes = (h1 & 0xFFE0) == 0xF3E0 ? reg((h2 >> 8) & 15) : reg(REG_FLAGS);
    }
}

/* A5.3.12 to A5.3.15: h1 = 1111 1010 op1 Rn: shifts by a register, extensions, parallel
 * arithmetic. */
static void wide_register(unsigned h1, unsigned h2, struct insn *i)
{
    bool is_shift = (h1 & 0x80) == 0 && (h2 & 0x80) == 0;
    i->kind = is_shift ? KIND_SHIFT : KIND_SIMD;
    i->reads = reg_but_pc(h1 & 15) | reg(h2 & 15);
    i->writes = reg((h2 >> 8) & 15) | (is_shift && (h1 & 0x10) ? reg(REG_FLAGS) : 0);
}

/* A5.3.16: h1 = 1111 1011 0 op1 Rn, accumulator in the upper bits of h2 or 15. */
static void wide_multiply(unsigned h1, unsigned h2, struct insn *i)
{
    unsigned accumulator = h2 >> 12;
    i->kind = accumulator == 15 ? KIND_MUL : KIND_MLA;
    i->reads = reg(h1 & 15) | reg(h2 & 15);
    i->late = reg_but_pc(accumulator);
    i->writes = reg((h2 >> 8) & 15);
}

/* A5.3.17: h1 = 1111 1011 1 op1 Rn: long multiplications and divisions. */
static void wide_long_multiply(unsigned h1, unsigned h2, struct insn *i)
{
    unsigned op1 = (h1 >> 4) & 7;
    bool is_divide = (op1 == 1 || op1 == 3) && (h2 & 0xF0) == 0xF0;
    i->reads = reg(h1 & 15) | reg(h2 & 15);
    i->writes = reg((h2 >> 8) & 15) | (is_divide ? 0 : reg(h2 >> 12));
    i->late = op1 >= 4 ? i->writes : 0;
    i->kind = is_divide ? KIND_DIV : op1 >= 4 ? KIND_MLAL : KIND_MULL;
}

static void decode_wide(unsigned h1, unsigned h2, struct insn *i)
{
    if ((h1 & 0xFE00) == 0xE800) {
        (h1 & 0x40 ? wide_dual_or_exclusive : wide_multiple)(h1, h2, i);
    } else if ((h1 & 0xFE00) == 0xEA00) {
        wide_shifted_register(h1, h2, i);
    } else if ((h1 & 0xEC00) == 0xEC00) {
        decode_vector(h1, h2, i);
    } else if ((h1 & 0xF800) == 0xF000) {
        bool is_plain = (h1 & 0x0200) != 0;
        (h2 & 0x8000 ? wide_branch : is_plain ? wide_plain_immediate : wide_operation)(h1, h2, i);
    } else if ((h1 & 0xFE00) == 0xF800) {
        wide_single(h1, h2, i);
    } else if ((h1 & 0xFF00) == 0xFA00) {
        wide_register(h1, h2, i);
    } else {
        (h1 & 0x80 ? wide_long_multiply : wide_multiply)(h1, h2, i);
    }
}

#endif
