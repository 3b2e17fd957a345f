/* Decoding of RISC-V: RV32 and RV64 with M, A, C (The RISC-V Instruction Set Manual, Volume I).
 * Floating point and vectors are told apart, but not decoded. */
#ifndef PATCHLOOM_RISCV_H
#define PATCHLOOM_RISCV_H

#include "pipeline.h"

/* x0 reads as zero and is never waited for. */
static uint64_t xreg(unsigned number)
{
    return reg(number) & ~UINT64_C(1);
}

/* The M extension: MUL; MULH, MULHSU, MULHU; divisions and remainders. */
static enum insn_kind multiply_kind(unsigned function)
{
    return function >= 4 ? KIND_DIV : function == 0 ? KIND_MUL : KIND_MULL;
}

static void riscv_wide(uint32_t w, struct insn *i)
{
    unsigned rd = (w >> 7) & 31, rs1 = (w >> 15) & 31, rs2 = (w >> 20) & 31;
    switch (w & 0x7F) {
    case 0x03: /* LOAD */
        i->kind = KIND_LOAD;
        i->reads = xreg(rs1);
        i->writes = xreg(rd);
        break;
    case 0x23: /* STORE */
        i->kind = KIND_STORE;
        i->reads = xreg(rs1);
        i->late = xreg(rs2);
        break;
    case 0x2F: /* AMO */
        i->kind = KIND_LOAD;
        i->reads = xreg(rs1) | xreg(rs2);
        i->writes = xreg(rd);
        break;
    case 0x33: /* OP */
    case 0x3B: /* OP-32 */
        i->kind = w >> 25 == 1 ? (uint8_t)multiply_kind((w >> 12) & 7) : KIND_ALU;
        i->reads = xreg(rs1) | xreg(rs2);
        i->writes = xreg(rd);
        break;
    case 0x13: /* OP-IMM */
    case 0x1B: /* OP-IMM-32 */
        i->reads = xreg(rs1);
        i->writes = xreg(rd);
        break;
    case 0x17: /* AUIPC */
    case 0x37: /* LUI */
        i->writes = xreg(rd);
        break;
    case 0x63: /* BRANCH */
        i->kind = KIND_BRANCH;
        i->is_conditional = i->to_pc = true;
        i->is_backward = w >> 31;
        i->reads = xreg(rs1) | xreg(rs2);
        break;
    case 0x67: /* JALR */
        i->kind = KIND_BRANCH_REGISTER;
        i->to_pc = true;
        i->reads = xreg(rs1);
        i->writes = xreg(rd);
        break;
    case 0x6F: /* JAL */
        i->kind = rd == 0 ? KIND_BRANCH : KIND_CALL;
        i->to_pc = true;
        i->writes = xreg(rd);
        break;
    case 0x57: /* OP-V */
        i->kind = KIND_VECTOR;
        break;
    case 0x07: /* LOAD-FP, vector loads */
    case 0x27:
    case 0x43:
    case 0x47:
    case 0x4B:
    case 0x4F:
    case 0x53: /* OP-FP */
        i->kind = KIND_FP;
        break;
    default:
        i->kind = KIND_SYSTEM;
    }
}

/* Compressed loads and stores of quadrants 0 and 2; floating point ones count as integer ones. */
static void riscv_narrow_access(unsigned h, struct insn *i)
{
    bool from_stack = (h & 3) == 2, is_store = (h >> 15) & 1;
    unsigned data = from_stack ? (is_store ? (h >> 2) & 31 : (h >> 7) & 31) : 8 + ((h >> 2) & 7);
    i->kind = is_store ? KIND_STORE : KIND_LOAD;
    i->reads = from_stack ? xreg(2) : reg(8 + ((h >> 7) & 7));
    *(is_store ? &i->late : &i->writes) = xreg(data);
}

static void riscv_quadrant_1(unsigned h, struct insn *i)
{
    unsigned rd = (h >> 7) & 31, short_rd = 8 + ((h >> 7) & 7), short_rs2 = 8 + ((h >> 2) & 7);
    switch (h >> 13) {
    case 0: /* C.ADDI */
        i->reads = i->writes = xreg(rd);
        break;
    case 1: /* C.JAL of RV32; C.ADDIW of RV64 is not timed by any model */
        i->kind = KIND_CALL;
        i->to_pc = true;
        i->writes = xreg(1);
        break;
    case 2: /* C.LI */
        i->writes = xreg(rd);
        break;
    case 3: /* C.LUI, C.ADDI16SP */
        i->reads = rd == 2 ? xreg(2) : 0;
        i->writes = xreg(rd);
        break;
    case 4:
        i->reads = reg(short_rd) | (((h >> 10) & 3) == 3 ? reg(short_rs2) : 0);
        i->writes = reg(short_rd);
        break;
    case 5: /* C.J */
        i->kind = KIND_BRANCH;
        i->to_pc = true;
        break;
    default: /* C.BEQZ, C.BNEZ */
        i->kind = KIND_BRANCH;
        i->is_conditional = i->to_pc = true;
        i->is_backward = (h >> 12) & 1;
        i->reads = reg(short_rd);
    }
}

static void riscv_quadrant_2(unsigned h, struct insn *i)
{
    unsigned rd = (h >> 7) & 31, rs2 = (h >> 2) & 31;
    bool bit_12 = (h >> 12) & 1;
    if (h >> 13 == 0) { /* C.SLLI */
        i->reads = i->writes = xreg(rd);
    } else if (h >> 13 != 4) {
        riscv_narrow_access(h, i);
    } else if (rs2 != 0) { /* C.MV, C.ADD */
        i->reads = xreg(rs2) | (bit_12 ? xreg(rd) : 0);
        i->writes = xreg(rd);
    } else if (rd != 0) { /* C.JR, C.JALR */
        i->kind = KIND_BRANCH_REGISTER;
        i->to_pc = true;
        i->reads = xreg(rd);
        i->writes = bit_12 ? xreg(1) : 0;
    } else {
        i->kind = KIND_SYSTEM;
    }
}

static size_t decode_riscv(const uint8_t *code, struct insn *insn)
{
    unsigned h = (unsigned)(code[0] | code[1] << 8);
    if ((h & 3) == 3) {
        riscv_wide(h | (uint32_t)code[2] << 16 | (uint32_t)code[3] << 24, insn);
        return 4;
    }
    insn->is_narrow = true;
    if ((h & 3) == 1) {
        riscv_quadrant_1(h, insn);
    } else if ((h & 3) == 2) {
        riscv_quadrant_2(h, insn);
    } else if (h >> 13 == 0) { /* C.ADDI4SPN */
        insn->reads = xreg(2);
        insn->writes = reg(8 + ((h >> 2) & 7));
    } else {
        riscv_narrow_access(h, insn);
    }
    return 2;
}

#endif
