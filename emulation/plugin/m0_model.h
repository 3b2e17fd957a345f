/* Cortex-M0+ and Cortex-M0 cycle models.
 *
 * After the instruction tables of the Cortex-M0+ (DDI 0484C, 3.3) and Cortex-M0 (DDI 0432C, 3.3)
 * Technical Reference Manuals, zero-wait memory: every instruction 1 cycle; LDR, STR 2; LDM, STM,
 * PUSH, POP 1+N, and POP with pc 3+N (M0: 4+N); MULS 1, or 32 with the small multiplier; taken
 * branches and BX 2 (M0: 3); BL 3 (M0: 4); MRS, MSR and barriers 3 (M0: 4).
 *
 * Limits: one memory port for code and data, whose conflicts are in the figures above; the
 * single-cycle I/O port, which takes 1 cycle per access, is not modelled; no wait states.
 */
#ifndef PATCHLOOM_M0_MODEL_H
#define PATCHLOOM_M0_MODEL_H

#include "thumb.h"

enum { M0_SLOW_MUL_CYCLES = 32 };

static unsigned m0_cycles(const struct insn *insn, unsigned mul_cycles, unsigned system_cycles)
{
    switch (insn->kind) {
    case KIND_LOAD:
    case KIND_STORE:
        return 2;
    case KIND_LOAD_MULTIPLE:
    case KIND_STORE_MULTIPLE:
        return 1u + insn->words;
    case KIND_MUL:
        return mul_cycles;
    case KIND_SYSTEM:
        return system_cycles;
    default:
        return 1;
    }
}

static unsigned m0plus_step(struct pipeline *p, const struct insn *insn)
{
    p->last.kind = insn->kind;
    return m0_cycles(insn, 1, 3);
}

static unsigned m0plus_slowmul_step(struct pipeline *p, const struct insn *insn)
{
    p->last.kind = insn->kind;
    return m0_cycles(insn, M0_SLOW_MUL_CYCLES, 3);
}

static unsigned m0_step(struct pipeline *p, const struct insn *insn)
{
    p->last.kind = insn->kind;
    return m0_cycles(insn, 1, 4);
}

static unsigned m0plus_enter(struct pipeline *p, bool taken)
{
    bool is_slow = p->last.kind == KIND_CALL || p->last.kind == KIND_LOAD_MULTIPLE;
    return taken ? 1u + is_slow : 0;
}

static unsigned m0_enter(struct pipeline *p, bool taken)
{
    return taken ? 1 + m0plus_enter(p, taken) : 0;
}

#endif
