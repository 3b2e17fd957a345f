/* Cortex-M4 and Cortex-M3 cycle models.
 *
 * In-order, zero-wait memory, after the timing table of the Cortex-M4 Technical Reference Manual:
 * every instruction 1 cycle; LDR 2, or 1 right after another single load or store; STR 1; LDRD,
 * STRD 3; LDM, STM, PUSH, POP 1+N; UDIV, SDIV 6; VLDR, VSTR 2 (3 for a double); VLDM, VSTM 1+N
 * 32-bit words; IT 0; a taken branch 2 in addition.
 *
 * The Cortex-M3 (DDI 0337, Table 3-1, "Cortex-M3 instruction set summary") differs in its
 * multiplier: MLA, MLS 2; SMULL, UMULL 3 to 5; SMLAL, UMLAL 4 to 7; SDIV, UDIV 2 to 12, all by the
 * size of the operands. The model takes the upper end: the multiplier of a requantization is a full
 * 31-bit number, so that early termination does not come to pass where it matters.
 *
 * Limits: a pipeline refill takes 1 to 3 cycles on silicon and 2 here; UDIV and SDIV of the M4 take
 * 2 to 12 and 6 here; VDIV and VSQRT 14 and 1 here.
 */
#ifndef PATCHLOOM_M4_MODEL_H
#define PATCHLOOM_M4_MODEL_H

#include "thumb.h"

static bool m4_is_single(const struct insn *insn)
{
    return insn->kind == KIND_LOAD || insn->kind == KIND_STORE;
}

static unsigned m4_step(struct pipeline *p, const struct insn *insn)
{
    bool follows_single = p->paired;
    p->paired = m4_is_single(insn);
    switch (insn->kind) {
    case KIND_LOAD:
        return follows_single ? 1 : 2;
    case KIND_LOAD_DUAL:
    case KIND_STORE_DUAL:
        return 3;
    case KIND_LOAD_MULTIPLE:
    case KIND_STORE_MULTIPLE:
    case KIND_FP_LOAD:
    case KIND_FP_STORE:
    case KIND_FP_LOAD_MULTIPLE:
    case KIND_FP_STORE_MULTIPLE:
        return 1u + insn->words;
    case KIND_DIV:
        return 6;
    case KIND_IT:
        return 0;
    default:
        return 1;
    }
}

static unsigned m3_step(struct pipeline *p, const struct insn *insn)
{
    unsigned cycles = m4_step(p, insn);
    switch (insn->kind) {
    case KIND_MLA:
        return 2;
    case KIND_MULL:
        return 5;
    case KIND_MLAL:
        return 7;
    case KIND_DIV:
        return 12;
    default:
        return cycles;
    }
}

static unsigned m4_enter(struct pipeline *p, bool taken)
{
    (void)p;
    return taken ? 2 : 0;
}

#endif
