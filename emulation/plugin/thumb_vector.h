/* Decoding of the FPU (A6 of the ARMv7-M Architecture Reference Manual) and of Helium (C2 of the
 * ARMv8-M one): which unit an instruction uses, which registers it reads and writes, how late its
 * result is.
 *
 * Floating point registers are single ones in the masks; a vector is four of them.
 */
#ifndef PATCHLOOM_THUMB_VECTOR_H
#define PATCHLOOM_THUMB_VECTOR_H

#include "insn.h"

static uint64_t vector(unsigned q)
{
    return UINT64_C(15) << (REG_FP + 4 * (q & 7));
}

/* The vector in bits 3 to 1 of the first halfword. */
static unsigned vector_field(unsigned h1)
{
    return (h1 >> 1) & 7;
}

/* A single or double from its four-bit field and its extra bit. There are no doubles above d15. */
static uint64_t fp_register(unsigned field, unsigned extra, bool is_double)
{
    uint64_t both = UINT64_C(3) << (REG_FP + 2 * field);
    return is_double ? both : reg(REG_FP + 2 * field + extra);
}

/* A6.5: h1 = 1110 110 P U D W L Rn. */
static void fp_load_store(unsigned h1, unsigned h2, struct insn *i)
{
    bool p = (h1 >> 8) & 1, u = (h1 >> 7) & 1, w = (h1 >> 5) & 1, is_load = (h1 >> 4) & 1;
    bool is_double = ((h2 >> 8) & 15) == 11;
    unsigned d = h2 >> 12, extra = (h1 >> 6) & 1, words = is_double ? h2 & 0xFE : h2 & 0xFF;
    if (!p && !u) { /* VMOV between two core registers and two singles or a double */
        uint64_t core = reg(d) | reg(h1 & 15);
        uint64_t fp = fp_register(h2 & 15, (h2 >> 5) & 1, is_double);
        fp |= is_double ? 0 : fp << 1;
        i->kind = KIND_FP;
        i->reads = is_load ? fp : core;
        i->writes = is_load ? core : fp;
        return;
    }
    bool is_single_access = p && !w;
    words = is_single_access ? 1u + is_double : words;
    uint64_t first = fp_register(d, extra, is_double);
    uint64_t all = words < 32 ? (first & ~(first - 1)) * (reg(words) - 1) : ~UINT64_C(0);
    i->kind = is_single_access ? (is_load ? KIND_FP_LOAD : KIND_FP_STORE)
                               : (is_load ? KIND_FP_LOAD_MULTIPLE : KIND_FP_STORE_MULTIPLE);
    i->words = (uint8_t)words;
    i->reads = (h1 & 15) == 15 ? 0 : reg(h1 & 15);
    i->updates = w ? reg(h1 & 15) : 0;
    *(is_load ? &i->writes : &i->late) = all & ~UINT64_C(0xFFFFFFFF);
}

/* A6.4 and A6.6: h1 = 1110 1110 opc1 Rn, bit 4 of h2 tells moves to and from core registers. */
static void fp_operation(unsigned h1, unsigned h2, struct insn *i)
{
    bool is_double = ((h2 >> 8) & 15) == 11;
    unsigned opc1 = (h1 >> 4) & 15, n = h1 & 15, d = h2 >> 12;
    i->kind = KIND_FP;
    if (h2 & 0x10) {
        bool to_core = h1 & 0x10;
        bool is_control = (opc1 & 0xE) == 0xE; /* VMSR, VMRS */
        uint64_t fp = is_control ? 0 : fp_register(n, (h2 >> 7) & 1, is_double);
        uint64_t core = d == 15 ? reg(REG_FLAGS) : reg(d);
        bool is_lane = is_double; /* VDUP and moves of a lane */
        fp = is_lane && (h1 & 0x90) == 0x80 ? vector(n >> 1) : fp;
        fp |= is_control && n == 13 ? reg(REG_VPR) : 0;
        i->kind = is_lane ? KIND_MVE_ANY : KIND_FP;
        i->latency = 1;
        i->reads = to_core ? fp : core;
        i->writes = to_core ? core : fp;
        return;
    }
    uint64_t target = fp_register(d, (h1 >> 6) & 1, is_double);
    bool is_unary = (opc1 & 0xB) == 0xB;
    i->reads = fp_register(h2 & 15, (h2 >> 5) & 1, is_double);
    i->reads |= is_unary ? 0 : fp_register(n, (h2 >> 7) & 1, is_double);
    bool accumulates = (opc1 & 0xB) <= 1 || (opc1 & 0xB) >= 9;
    i->late = accumulates && !is_unary ? target : 0;
    i->writes = target;
    bool is_root = is_unary && n == 1 && (h2 & 0xC0) == 0xC0;
    i->kind = is_root || (opc1 & 0xB) == 8 ? KIND_FP_DIV : KIND_FP;
    if (is_unary && (n == 4 || n == 5)) { /* VCMP */
        i->reads |= target;
        i->writes = 0;
    }
}

/* Vector loads and stores, and moves of two lanes (P = A = W = 0): h1 = 111U 110P A D W L Rn,
 * h2 = Qd x111 ... with x = 0 for gathering and widening ones. */
static void mve_load_store(unsigned h1, unsigned h2, struct insn *i)
{
    bool p = (h1 >> 8) & 1, w = (h1 >> 5) & 1, is_load = (h1 >> 4) & 1, whole = (h2 >> 12) & 1;
    uint64_t data = vector(h2 >> 13);
    if ((h1 & 0x01A0) == 0) {
        uint64_t core = reg(h1 & 15) | reg(h2 & 15);
        i->kind = KIND_MVE_ANY;
        i->reads = is_load ? data : core | data;
        i->writes = is_load ? core : data;
        return;
    }
    bool is_gather = !whole && !p && !w;
    bool base_in_vector = whole && p && (h1 & 0x1000) != 0;
    bool is_interleaving = whole && !p && (h1 & 0x1000) != 0;
    i->kind = is_load ? KIND_MVE_LOAD : KIND_MVE_STORE;
    i->words = is_gather ? (uint8_t)(16 >> ((h2 >> 7) & 3)) : 4;
    i->latency = is_gather || base_in_vector || is_interleaving ? 2 : 1;
    i->reads = base_in_vector ? vector((h1 & 15) >> 1) : reg(h1 & 15);
    i->reads |= is_gather ? vector((h2 >> 1) & 7) : 0;
    i->updates = !w || base_in_vector ? 0 : reg(h1 & 15);
    if (is_interleaving) { /* VLD2, VST2, VLD4, VST4 */
        data *= (h2 & 1) ? 0x1111 : 0x11;
    }
    *(is_load ? &i->writes : &i->late) = data;
}

/* Sums, minima and maxima across a vector into core registers: h1 = 111U 1110 1...,
 * h2[6] = h2[4] = 0. */
static void mve_reduction(unsigned h1, unsigned h2, struct insn *i)
{
    unsigned low = (h2 >> 12) & 14, high = ((h1 >> 3) & 14) | 1;
    bool is_long = (h1 & 0x70) != 0x70;
    bool is_vabav = (h2 & 0x0101) == 0x0101 && (h1 & 0x71) == 0, is_extreme = (h1 & 0x70) == 0x60;
    i->reads = vector((h2 >> 1) & 7);
    if (is_extreme || is_vabav) { /* VMINV, VMAXV, VABAV */
        i->kind = KIND_MVE_INT;
        i->latency = 3;
        i->reads |= is_vabav ? vector(vector_field(h1)) : 0;
        i->writes = reg(h2 >> 12);
        i->late = i->writes;
        return;
    }
    bool is_sum = (h2 & 0x0100) != 0 && (h1 & 1) != 0;
    i->kind = KIND_MVE_MUL;
    i->latency = 2;
    i->reads |= is_sum ? 0 : vector(vector_field(h1));
    i->writes = reg(low) | (is_long ? reg(high) : 0);
    i->late = (h2 & 0x20) ? i->writes : 0;
}

/* Comparisons and what else works on predicates: h1 = 1111 1110 0..., h2[11:8] = 15. True if it was
 * one. */
static bool mve_predicate(unsigned h1, unsigned h2, struct insn *i)
{
    bool is_control = (h1 & 0x30) == 0x30 && (h2 & 0xFF) == 0x4D; /* VPST, VPNOT */
    bool is_select = (h1 & 0x31) == 0x31 && (h2 & 0x51) == 0x01 && !is_control;
    if ((h1 & 0xFF81) != 0xFE01 || (h2 & 0x0F00) != 0x0F00) {
        return false;
    }
    i->reads = is_control ? reg(REG_VPR) : vector(vector_field(h1));
    i->kind = is_control ? KIND_MVE_CONTROL : is_select ? KIND_MVE_INT : KIND_MVE_MUL;
    i->latency = 1;
    i->writes = is_select ? vector(h2 >> 13) : reg(REG_VPR);
    if (is_select) {
        i->reads |= vector((h2 >> 1) & 7) | reg(REG_VPR);
    } else if (!is_control) { /* VCMP, VPT with a vector or a register */
        i->reads |= (h2 & 0x40) ? ((h2 & 15) == 15 ? 0 : reg(h2 & 15)) : vector((h2 >> 1) & 7);
    }
    return true;
}

/* Two-operand forms in coprocessor space: h1 = 111U 1110 0 D size Qn x, h2 = Qd t 111y ... */
static void mve_two_operands(unsigned h1, unsigned h2, struct insn *i)
{
    bool is_size_3 = (h1 & 0x30) == 0x30, with_register = (h2 & 0x40) != 0, y = (h2 >> 8) & 1;
    unsigned q = vector_field(h1), d = h2 >> 13;
    bool is_multiply, is_shift = false, is_narrowing = false;
    if (!y) { /* shifts by a register, VMOVN and VQMOVN, VBRSR; all others multiply */
        is_shift = with_register && (h2 & 0x1020) == 0x1020 && (is_size_3 || (h1 & 0x1000) != 0);
        is_narrowing = !with_register && is_size_3 && (h1 & 1) != 0;
        is_multiply = !is_shift && !is_narrowing;
    } else { /* VQDMULL and floating point; all others add */
        is_multiply = is_size_3 && (with_register || (h2 & 1) != 0);
    }
    bool is_counter = y && (h2 & 0x60) == 0x60 && !is_multiply; /* VIDUP, VDDUP, VIWDUP, VDWDUP */
    bool adds_carry = y && is_size_3 && !with_register && !is_multiply;
    bool accumulates = !y && with_register && !is_shift && ((h2 & 0x20) == 0 || (h1 & 1) == 0);
    i->kind = is_multiply ? KIND_MVE_MUL : KIND_MVE_INT;
    bool is_slow_shift = is_shift && ((h1 & 2) != 0 || (h2 & 0x80) != 0);
    i->latency = is_narrowing ? 3 : is_multiply || adds_carry || is_slow_shift ? 2 : 1;
    i->writes = vector(d);
    i->late = accumulates || is_narrowing ? vector(d) : 0;
    i->reads = is_counter ? reg(h1 & 14) : is_narrowing || is_shift ? 0 : vector(q);
    i->updates = is_counter ? reg(h1 & 14) : 0;
    if (is_shift) {
        i->reads |= vector(d);
    }
    if (is_counter) {
        i->reads |= (h2 & 14) == 14 ? 0 : reg((h2 & 14) | 1);
    } else {
        i->reads |= with_register ? ((h2 & 15) >= 13 ? 0 : reg(h2 & 15)) : vector((h2 >> 1) & 7);
    }
}

/* Vector shifts with an immediate that narrow or widen: h1 = 1110 1110 1..., h2[6] = 1. */
static void mve_resize(unsigned h2, struct insn *i)
{
    bool is_narrowing = (h2 & 0x81) != 0;
    i->kind = KIND_MVE_INT;
    i->latency = is_narrowing ? 3 : 1;
    i->reads = vector((h2 >> 1) & 7);
    i->late = is_narrowing ? vector(h2 >> 13) : 0;
    i->writes = vector(h2 >> 13);
}

/* The space Helium shares with Advanced SIMD: h1 = 111U 1111 ... */
static void mve_simd(unsigned h1, unsigned h2, struct insn *i)
{
    unsigned a = (h2 >> 8) & 15;
    bool b = (h2 >> 4) & 1, is_float, is_multiply, is_slow;
    i->reads = vector((h2 >> 1) & 7);
    if ((h1 & 0x80) == 0) { /* three vectors */
        is_float = a >= 12;
        is_multiply = is_float || a == 11 || (a == 9 && b);
        is_slow = is_multiply ? !(a == 13 && !b) : a == 5 || (a == 4 && b);
        i->reads |= vector(vector_field(h1));
        i->late = a == 12 ? vector(h2 >> 13) : 0;
    } else if (b && (h1 & 0x38) == 0) { /* an immediate */
        is_multiply = is_slow = false;
        i->reads = 0;
    } else { /* shifts by an immediate, operations on one vector */
        bool is_conversion = !b && (h1 & 0x30) == 0x30 && a >= 4 && (a & 1) == 0; /* VCVT, VRINT */
        is_multiply = is_slow = is_conversion;
        is_slow |= b && a == 2; /* VRSHR */
    }
    i->kind = is_multiply ? KIND_MVE_MUL : KIND_MVE_INT;
    i->latency = is_slow ? 2 : 1;
    i->writes = vector(h2 >> 13);
}

/* Coprocessor space: h1 = 111x 11.. */
static void decode_vector(unsigned h1, unsigned h2, struct insn *i)
{
    unsigned coprocessor = (h2 >> 8) & 15;
    bool is_fpu = coprocessor == 10 || coprocessor == 11 || coprocessor == 9;
    bool is_load_store = (h1 & 0x0E00) == 0x0C00;
    if ((h1 & 0x0F00) == 0x0F00) {
        mve_simd(h1, h2, i);
    } else if (is_fpu) {
        (is_load_store ? fp_load_store : fp_operation)(h1, h2, i);
    } else if (coprocessor < 14) {
        i->kind = KIND_SYSTEM;
    } else if (is_load_store) {
        mve_load_store(h1, h2, i);
    } else if (mve_predicate(h1, h2, i)) {
        return;
    } else if ((h1 & 0x80) == 0) {
        mve_two_operands(h1, h2, i);
    } else if ((h2 & 0x50) == 0) {
        mve_reduction(h1, h2, i);
    } else {
        mve_resize(h2, i);
    }
}

#endif
