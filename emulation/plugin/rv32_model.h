/* A simple RV32 cycle model: a short in-order single-issue pipeline with zero-wait memory.
 *
 * No one core: the figures are those that the documented pipelines of small open cores have in
 * common (CV32E40P user manual, "Pipeline Details"; Ibex reference guide, "Pipeline Details";
 * Hazard3 manual, "Instruction Cycle Counts"). Every instruction 1 cycle; a load 1, and 1 more when
 * the next instruction uses what it loaded; MUL 1, MULH and its unsigned forms 2; DIV, REM 35; JAL,
 * JALR 2; a taken branch 3; CSR accesses and fences 1.
 *
 * Limits: no prediction (cores with a predictor are faster in loops); MULH takes 1 to 5 and DIV 3
 * to 37 cycles in those cores, some by operand; no flash wait states. Vectors and floating point
 * are not timed.
 */
#ifndef PATCHLOOM_RV32_MODEL_H
#define PATCHLOOM_RV32_MODEL_H

#include "riscv.h"

static unsigned rv32_step(struct pipeline *p, const struct insn *insn)
{
    unsigned stall = (p->last.writes & (insn->reads | insn->late)) != 0;
    p->last.writes = insn->kind == KIND_LOAD ? insn->writes : 0;
    p->last.kind = insn->to_pc ? insn->kind : KIND_ALU;
    p->last.is_conditional = insn->is_conditional;
    switch (insn->kind) {
    case KIND_MULL:
        return stall + 2;
    case KIND_DIV:
        return stall + 35;
    default:
        return stall + 1;
    }
}

static unsigned rv32_enter(struct pipeline *p, bool taken)
{
    return !taken ? 0 : p->last.is_conditional ? 2 : 1;
}

#endif
