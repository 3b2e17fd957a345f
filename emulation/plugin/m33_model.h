/* Cortex-M33 and Cortex-M55 cycle models.
 *
 * Arm publishes no instruction timings for either. Sources: product briefs ("limited dual-issue of
 * common 16-bit instruction pairs"; divide in 2 to 11 cycles); the scheduling model of LLVM for the
 * M55 (ARMScheduleM55.td), whose notes say that the M33 is alike; the M55 model of SLOTHY; the
 * description of the M33 pipeline at elektroniknet.de (loads start in the second stage, multiplier
 * and SIMD in the third); Arm's Helium optimization guide (a vector in two cycles, overlapped
 * between different units).
 *
 * Both: in order, one instruction per cycle, zero-wait memory. Two 16-bit instructions issue
 * together when one of them is a move, an addition or subtraction of an immediate, an extension,
 * NOP or (the second) a branch, and the second does not need the first one's result. A loaded
 * value, a product and a saturated or parallel result can be used two cycles later (M33: as
 * accumulator or store data one cycle later); division 11; IT 0; a taken branch 2 in addition. M33:
 * LDRD, STRD, LDM, STM of N words N cycles, LDR and STR 1. M55: 64 bits per cycle, shifted operands
 * too take 2 cycles until the result can be used.
 *
 * M55 vectors: every Helium instruction is issued in one cycle and occupies its unit for two (two
 * beats each): loads and stores; integer; multiplier and floating point. So neighbours in different
 * units overlap and neighbours in the same unit do not. Results chain beat by beat: usable 1, 2 or
 * 3 cycles after issue (decoder). Gathers and scatters of N elements occupy the memory unit for N/2
 * cycles. LE and LETP cost a taken branch the first time round a loop and nothing after; DLS and
 * WLS 1.
 *
 * Limits: wait states, caches and TCM bank conflicts are not modelled, nor hazards between a vector
 * store and the next load. The cost of a taken branch, of gathers and of a division are
 * assumptions.
 */
#ifndef PATCHLOOM_M33_MODEL_H
#define PATCHLOOM_M33_MODEL_H

#include "thumb.h"

enum { M33_TAKEN_BRANCH_CYCLES = 2, M33_DIVIDE_CYCLES = 11 };

static bool m33_can_pair(const struct pipeline *p, const struct insn *insn)
{
    bool both_narrow = p->last.is_narrow && insn->is_narrow;
    return both_narrow && !p->paired && (p->last.is_simple || insn->is_simple);
}

/* Cycles that no other instruction can be issued in. */
static unsigned m33_busy(const struct insn *insn, unsigned words_per_cycle)
{
    switch (insn->kind) {
    case KIND_LOAD_DUAL:
    case KIND_STORE_DUAL:
    case KIND_LOAD_MULTIPLE:
    case KIND_STORE_MULTIPLE:
    case KIND_FP_LOAD:
    case KIND_FP_STORE:
    case KIND_FP_LOAD_MULTIPLE:
    case KIND_FP_STORE_MULTIPLE:
        return (insn->words + words_per_cycle - 1) / words_per_cycle;
    case KIND_DIV:
        return M33_DIVIDE_CYCLES;
    default:
        return 1;
    }
}

static unsigned m33_latency(const struct insn *insn)
{
    switch (insn->kind) {
    case KIND_ALU:
    case KIND_SHIFT:
    case KIND_LOOP_START:
    case KIND_LOOP_END:
        return 1;
    case KIND_DIV:
        return M33_DIVIDE_CYCLES;
    case KIND_FP_DIV:
        return 15;
    default:
        return 2;
    }
}

/* Issues an instruction `at` cycles after the last one, for `busy` cycles. Returns the cycles it
 * adds. */
static unsigned m33_issue(struct pipeline *p, const struct insn *insn, unsigned at, unsigned busy,
                          unsigned latency)
{
    unsigned cycles = at + busy - 1;
    advance(p, cycles);
    write_registers(p, insn->updates, 1);
    write_registers(p, insn->writes, latency > busy - 1 ? latency - (busy - 1) : 0);
    p->paired = at == 0;
    p->last.kind = insn->kind == KIND_LOOP_END ? KIND_LOOP_END : KIND_ALU;
    p->last.is_narrow = insn->is_narrow && busy == 1 && !insn->to_pc;
    p->last.is_simple = insn->is_simple;
    return cycles;
}

static unsigned m33_step(struct pipeline *p, const struct insn *insn)
{
    if (insn->kind == KIND_IT) {
        p->paired = true; /* what is conditional waits for the flags */
        return 0;
    }
    unsigned late = ready_at(p, insn->late);
    unsigned at = later(m33_can_pair(p, insn) ? 0 : 1, ready_at(p, insn->reads));
    at = later(at, late > 0 ? late - 1 : 0);
    return m33_issue(p, insn, at, m33_busy(insn, 1), m33_latency(insn));
}

static unsigned m33_enter(struct pipeline *p, bool taken)
{
    unsigned cycles = taken ? M33_TAKEN_BRANCH_CYCLES : 0;
    advance(p, cycles);
    p->last.is_narrow &= !taken;
    return cycles;
}

static bool m55_is_vector(const struct insn *insn)
{
    return insn->kind >= KIND_MVE_LOAD && insn->kind <= KIND_MVE_ANY;
}

/* The unit of an instruction, UNITS for none. */
static unsigned m55_unit(const struct pipeline *p, const struct insn *insn)
{
    switch (insn->kind) {
    case KIND_LOAD:
    case KIND_STORE:
    case KIND_LOAD_DUAL:
    case KIND_STORE_DUAL:
    case KIND_LOAD_MULTIPLE:
    case KIND_STORE_MULTIPLE:
    case KIND_FP_LOAD:
    case KIND_FP_STORE:
    case KIND_FP_LOAD_MULTIPLE:
    case KIND_FP_STORE_MULTIPLE:
    case KIND_MVE_LOAD:
    case KIND_MVE_STORE:
        return UNIT_MEMORY;
    case KIND_MVE_INT:
        return UNIT_INT;
    case KIND_MVE_ANY:
        return p->free_at[UNIT_INT] < p->free_at[UNIT_MUL] ? UNIT_INT : UNIT_MUL;
    case KIND_MVE_MUL:
    case KIND_FP:
    case KIND_FP_DIV:
        return UNIT_MUL;
    default:
        return UNITS;
    }
}

static unsigned m55_step(struct pipeline *p, const struct insn *insn)
{
    bool is_loop_end = insn->kind == KIND_LOOP_END;
    if (insn->kind == KIND_IT || (is_loop_end && p->loop_at == insn->address)) {
        unsigned is_empty_loop = p->last.kind == KIND_LOOP_START;
        p->last.kind = is_loop_end ? KIND_LOOP_END : p->last.kind;
        p->paired = true;
        return is_empty_loop;
    }
    unsigned unit = m55_unit(p, insn), busy = m33_busy(insn, 2), cycles;
    unsigned late = ready_at(p, insn->late);
    late -= insn->kind == KIND_MVE_STORE && late > 0;
    unsigned at = later(later(m33_can_pair(p, insn) ? 0 : 1, ready_at(p, insn->reads)), late);
    at = later(at, unit == UNITS ? 0 : p->free_at[unit]);
    bool is_shift = insn->kind == KIND_SHIFT;
    unsigned latency = insn->latency > 0 ? insn->latency : m33_latency(insn) + is_shift;
    cycles = m33_issue(p, insn, at, busy, latency);
    if (unit != UNITS) {
        unsigned beats = unit == UNIT_MEMORY ? later(2, insn->words / 2u) : 2;
        p->free_at[unit] = (uint8_t)(m55_is_vector(insn) ? beats : 1);
    }
    if (is_loop_end) {
        p->loop_at = insn->address;
        p->last.is_conditional = true; /* not cached when it was issued */
    }
    return cycles;
}

/* The end of a loop is free when its target was cached, and gives up its place when the loop is
 * left. */
static unsigned m55_enter(struct pipeline *p, bool taken)
{
    bool is_end = p->last.kind == KIND_LOOP_END, is_cached_end = is_end && !p->last.is_conditional;
    if (is_end && !taken) {
        p->loop_at = 0;
    }
    p->last.kind = is_end && taken ? KIND_LOOP_START : KIND_ALU; /* of this turn of the loop */
    p->last.is_conditional = false;
    p->last.is_narrow &= !taken;
    return m33_enter(p, taken && !is_cached_end);
}

#endif
