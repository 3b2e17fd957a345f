/* Decoding of 16-bit Thumb instructions (A5.2 of the ARMv7-M Architecture Reference Manual).
 *
 * Instructions in an IT block are decoded as if they stood alone: they read no flags and set them.
 */
#ifndef PATCHLOOM_THUMB_NARROW_H
#define PATCHLOOM_THUMB_NARROW_H

#include "insn.h"

/* 000x to 001x: shift, add, subtract, move and compare with an immediate or three registers. */
static void narrow_immediate(unsigned h, struct insn *i)
{
    unsigned op = h >> 11, low = reg_field(h, 0), middle = reg_field(h, 3), high = reg_field(h, 8);
    i->is_simple = op == 4 || op > 5 || (op == 3 && (h & 0x0400) != 0);
    i->writes = reg(op == 5 ? REG_FLAGS : op < 4 ? low : high) | reg(REG_FLAGS);
    if (op < 3) {
        i->kind = op == 0 && ((h >> 6) & 31) == 0 ? KIND_ALU : KIND_SHIFT;
        i->reads = reg(middle);
    } else if (op == 3) {
        i->reads = reg(middle) | ((h & 0x0400) ? 0 : reg(reg_field(h, 6)));
    } else {
        i->reads = op == 4 ? 0 : reg(high);
    }
}

/* 010000: operations between two low registers. */
static void narrow_data_processing(unsigned h, struct insn *i)
{
    enum { LSL = 2, LSR, ASR, ADC, SBC, ROR, TST, RSB, CMP, CMN, ORR, MUL, BIC, MVN };
    unsigned op = (h >> 6) & 15, d = reg_field(h, 0), m = reg_field(h, 3);
    bool is_compare = op == TST || op == CMP || op == CMN;
    i->kind = op == MUL ? KIND_MUL : (op >= LSL && op <= ASR) || op == ROR ? KIND_SHIFT : KIND_ALU;
    i->reads = reg(m) | (op == RSB || op == MVN ? 0 : reg(d));
    i->reads |= op == ADC || op == SBC ? reg(REG_FLAGS) : 0;
    i->writes = reg(REG_FLAGS) | (is_compare ? 0 : reg(d));
}

/* 010001: operations on all registers, branches to a register. */
static void narrow_special(unsigned h, struct insn *i)
{
    unsigned op = (h >> 8) & 3, d = (h & 7) | ((h >> 4) & 8), m = (h >> 3) & 15;
    i->reads = reg(m) | (op < 2 ? reg(d) : 0);
    i->writes = op == 1 ? reg(REG_FLAGS) : reg(d);
    i->to_pc = op == 3 || (op != 1 && d == 15);
    i->is_simple = op >= 2;
    if (i->to_pc) {
        i->kind = KIND_BRANCH_REGISTER;
        i->writes = op == 3 && (h & 0x80) ? reg(14) : 0;
    }
}

static void narrow_access(struct insn *i, bool is_load, unsigned t, uint64_t address_registers)
{
    i->kind = is_load ? KIND_LOAD : KIND_STORE;
    i->words = 1;
    i->reads = address_registers;
    *(is_load ? &i->writes : &i->late) = reg(t);
}

static void narrow_load_store(unsigned h, struct insn *i)
{
    unsigned top = h >> 12, t = reg_field(h, 0), n = reg_field(h, 3);
    if (top == 4) { /* literal */
        narrow_access(i, true, reg_field(h, 8), 0);
    } else if (top == 5) { /* register offset: STR STRH STRB LDRSB LDR LDRH LDRB LDRSH */
        unsigned op = (h >> 9) & 7;
        narrow_access(i, op >= 3, t, reg(n) | reg(reg_field(h, 6)));
        i->is_subword = op >= 3 && op != 4;
    } else if (top == 9) { /* SP relative */
        narrow_access(i, (h >> 11) & 1, reg_field(h, 8), reg(13));
    } else { /* immediate offset: word, byte, halfword */
        narrow_access(i, (h >> 11) & 1, t, reg(n));
        i->is_subword = ((h >> 11) & 1) && top != 6;
    }
}

static void narrow_multiple(struct insn *i, bool is_load, unsigned n, unsigned list)
{
    i->kind = is_load ? KIND_LOAD_MULTIPLE : KIND_STORE_MULTIPLE;
    i->words = (uint8_t)__builtin_popcount(list);
    i->reads = reg(n);
    i->updates = reg(n);
    *(is_load ? &i->writes : &i->late) = list & 0x7FFF;
    i->to_pc = is_load && (list >> 15) != 0;
}

/* 1011: stack, extension, compare and branch, hints. */
static void narrow_miscellaneous(unsigned h, struct insn *i)
{
    unsigned d = reg_field(h, 0), m = reg_field(h, 3);
    if ((h & 0x0F00) == 0x0000) { /* ADD, SUB SP */
        i->reads = i->writes = reg(13);
    } else if ((h & 0x0500) == 0x0100) { /* CBZ, CBNZ: forward only */
        i->kind = KIND_BRANCH;
        i->is_simple = i->is_conditional = i->to_pc = true;
        i->reads = reg(d);
    } else if ((h & 0x0600) == 0x0400) { /* PUSH, POP; bit 8 is LR or PC */
        bool is_pop = (h & 0x0800) != 0;
        narrow_multiple(i, is_pop, 13, (h & 0xFF) | (h & 0x100 ? (is_pop ? 0x8000u : 0x4000u) : 0));
    } else if ((h & 0x0F00) == 0x0200 || (h & 0x0F00) == 0x0A00) { /* SXTH SXTB UXTH UXTB, REV */
        i->kind = KIND_SIMD;
        i->is_simple = (h & 0x0F00) == 0x0200;
        i->reads = reg(m);
        i->writes = reg(d);
    } else if ((h & 0x0F00) == 0x0F00) {
        i->kind = (h & 0xF) != 0 ? KIND_IT : KIND_NOP;
        i->is_simple = true;
    } else {
        i->kind = KIND_SYSTEM;
    }
}

static void decode_narrow(unsigned h, struct insn *i)
{
    unsigned top = h >> 12;
    i->is_narrow = true;
    if (top < 4) {
        narrow_immediate(h, i);
    } else if (h >> 10 == 0x10) {
        narrow_data_processing(h, i);
    } else if (h >> 10 == 0x11) {
        narrow_special(h, i);
    } else if (top < 10) {
        narrow_load_store(h, i);
    } else if (top == 10) { /* ADR, ADD Rd, SP */
        i->reads = (h & 0x0800) ? reg(13) : 0;
        i->writes = reg(reg_field(h, 8));
    } else if (top == 11) {
        narrow_miscellaneous(h, i);
    } else if (top == 12) {
        unsigned n = reg_field(h, 8), list = h & 0xFF;
        narrow_multiple(i, (h >> 11) & 1, n, list);
    } else if (top == 13 && (h & 0x0E00) == 0x0E00) { /* UDF, SVC */
        i->kind = KIND_SYSTEM;
    } else { /* B */
        i->kind = KIND_BRANCH;
        i->is_simple = i->to_pc = true;
        i->is_conditional = top == 13;
        i->is_backward = (h >> (top == 13 ? 7 : 10)) & 1;
    }
}

#endif
