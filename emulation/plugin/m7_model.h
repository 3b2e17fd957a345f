/* Cortex-M7 cycle model: in-order dual issue.
 *
 * Arm publishes no instruction timings. Sources: the scheduling model of LLVM (ARMScheduleM7.td:
 * units, latencies, which instructions issue alone or only as the first of two), measurements of
 * pairs posted as #CortexM7 (mastodawn.com/explore/tag/CortexM7), and the processor's overview (two
 * ALUs, one of them with SIMD, one multiplier, two 32-bit loads or one store per cycle, branch
 * target cache).
 *
 * Two neighbours issue in the same cycle unless the second needs a result of the first, or both
 * need the multiplier, the shifter of operands, the store port or the FPU, or one is a load and the
 * other a store, or the second is a SIMD, bit-field, extension or saturation instruction, which go
 * first only. Alone issue: LDM, STM (1 + N/2), LDRD, STRD, LDREX, division (7), VLDR and VSTR of
 * doubles, VLDM, VSTM (1 + N/2), TBB, NOP (1) and special registers (3). Results can be used by an
 * ALU operation 1 cycle after issue; 2 after loads of bytes and halfwords, multiplications and
 * saturation; 3 after FPU operations (6 multiply-accumulate, 16 division). Addresses, shifted
 * operands and operands of saturation are needed 1 cycle earlier; accumulators and store data 1
 * cycle later.
 *
 * Branches: predicted statically, conditional ones taken when they go backward; a predicted
 * transfer costs nothing but ends the pair, a mispredicted one 6 cycles more. Calls are predicted,
 * and returns and other branches to a register are taken as mispredicted.
 *
 * Limits: caches and TCM wait states, bank conflicts of two loads and the dynamic branch predictor
 * are not modelled; neither are the wider forms of pairing that measurements found for special
 * operands.
 */
#ifndef PATCHLOOM_M7_MODEL_H
#define PATCHLOOM_M7_MODEL_H

#include "thumb.h"

enum { M7_MISPREDICTED_CYCLES = 6 };

enum m7_use {
    M7_FIRST_ONLY = 1,
    M7_ALONE = 2,
    M7_SHIFTER = 4,
    M7_MULTIPLIER = 8,
    M7_STORE = 16,
    M7_LOAD = 32,
    M7_FPU = 64
};

/* What an instruction occupies, a set of m7_use. */
static unsigned m7_uses(const struct insn *insn)
{
    switch (insn->kind) {
    case KIND_SHIFT:
        return M7_SHIFTER;
    case KIND_SIMD:
    case KIND_SATURATE:
        return M7_FIRST_ONLY | M7_SHIFTER;
    case KIND_MUL:
    case KIND_MLA:
    case KIND_MULL:
    case KIND_MLAL:
        return M7_MULTIPLIER;
    case KIND_LOAD:
        return M7_LOAD;
    case KIND_STORE:
        return M7_STORE;
    case KIND_FP:
    case KIND_FP_DIV:
        return M7_FPU;
    case KIND_FP_LOAD:
        return insn->words == 2 ? M7_ALONE : M7_LOAD;
    case KIND_FP_STORE:
        return insn->words == 2 ? M7_ALONE : M7_STORE;
    case KIND_ALU:
    case KIND_IT:
    case KIND_BRANCH:
    case KIND_CALL:
        return 0;
    case KIND_BRANCH_REGISTER:
        return insn->is_narrow ? 0 : M7_ALONE;
    default:
        return M7_ALONE;
    }
}

static bool m7_can_pair(const struct pipeline *p, unsigned uses)
{
    unsigned before = p->last.words, both = before | uses;
    bool one_of = (before & uses & (M7_SHIFTER | M7_MULTIPLIER | M7_STORE | M7_FPU)) != 0;
    bool load_and_store = (both & M7_LOAD) != 0 && (both & M7_STORE) != 0;
    bool may_join = !p->paired && (both & M7_ALONE) == 0 && (uses & M7_FIRST_ONLY) == 0;
    return may_join && !one_of && !load_and_store;
}

static unsigned m7_busy(const struct insn *insn)
{
    switch (insn->kind) {
    case KIND_LOAD_MULTIPLE:
    case KIND_STORE_MULTIPLE:
    case KIND_FP_LOAD_MULTIPLE:
    case KIND_FP_STORE_MULTIPLE:
        return 1u + (insn->words + 1u) / 2u;
    case KIND_DIV:
        return 7;
    case KIND_SYSTEM:
        return 3;
    default:
        return 1;
    }
}

static unsigned m7_latency(const struct insn *insn)
{
    switch (insn->kind) {
    case KIND_LOAD:
        return insn->is_subword ? 2 : 1;
    case KIND_SATURATE:
    case KIND_MUL:
    case KIND_MLA:
    case KIND_MULL:
    case KIND_MLAL:
        return 2;
    case KIND_FP:
        return insn->late != 0 ? 6 : 3;
    case KIND_FP_DIV:
        return 16;
    default:
        return 1;
    }
}

/* Address registers, shifted operands and operands of saturation are read a stage early. */
static bool m7_reads_early(const struct insn *insn)
{
    return insn->words > 0 || insn->kind == KIND_SHIFT || insn->kind == KIND_SATURATE;
}

/* ready[] holds the cycle from which a stage early can read: one more than the latency. */
static unsigned m7_step(struct pipeline *p, const struct insn *insn)
{
    unsigned uses = m7_uses(insn), busy = m7_busy(insn), latency = m7_latency(insn);
    unsigned operands = ready_at(p, insn->reads), late = ready_at(p, insn->late);
    unsigned at = m7_can_pair(p, uses) ? 0 : 1;
    operands -= operands > 0 && !m7_reads_early(insn);
    late -= later(late > 0, late > 1 ? 2 : 0);
    at = later(at, later(operands, late));
    unsigned cycles = at + busy - 1;
    advance(p, cycles);
    write_registers(p, insn->updates, 1);
    write_registers(p, insn->writes, latency + 1 > busy - 1 ? latency + 2 - busy : 0);
    p->paired = at == 0 || insn->kind == KIND_IT; /* what is conditional waits for the flags */
    p->last.words = (uint8_t)uses;
    p->last.kind = insn->to_pc ? insn->kind : KIND_ALU;
    p->last.is_conditional = insn->is_conditional;
    p->last.is_backward = insn->is_backward;
    p->last.to_pc = insn->to_pc;
    return cycles;
}

static unsigned m7_enter(struct pipeline *p, bool taken)
{
    bool is_direct = p->last.kind == KIND_BRANCH || p->last.kind == KIND_CALL;
    bool predicted_taken = is_direct && (p->last.is_backward || !p->last.is_conditional);
    unsigned cycles = p->last.to_pc && taken != predicted_taken ? M7_MISPREDICTED_CYCLES : 0;
    advance(p, cycles);
    if (p->last.to_pc) {
        p->paired = true; /* nothing joins the pair of a branch */
        p->last.to_pc = false;
    }
    return cycles;
}

#endif
