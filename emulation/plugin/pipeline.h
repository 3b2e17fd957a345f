/* What a cycle model is, and the bookkeeping of registers and units that in-order cores share. */
#ifndef PATCHLOOM_PIPELINE_H
#define PATCHLOOM_PIPELINE_H

#include "insn.h"

enum unit { UNIT_MEMORY, UNIT_INT, UNIT_MUL, UNITS };

/* State between two instructions. Time 0 is the cycle in which the last instruction was issued; the
 * next one is issued in cycle 1, or in cycle 0 where the two are issued together. States are
 * compared byte by byte, so a model leaves zero what it does not use, and the fewer distinct ones
 * the better.
 *
 * ready    cycle from which on a register can be read, 0 if it always can
 * free_at  cycle from which on a unit takes the next instruction
 * last     the last instruction, reduced to what a model looks at
 * paired   the last instruction was issued together with the one before
 * loop_at  address of the loop end whose target is cached, 0 for none
 */
struct pipeline {
    uint8_t ready[64];
    uint8_t free_at[UNITS];
    bool paired;
    uint32_t loop_at;
    struct insn last;
};

/* A cycle model.
 *
 * decode  reads one instruction into a zeroed insn and returns its size in bytes
 * step    cycles that one instruction adds to the time of those before it
 * enter   cycles that the way to the next block adds: `taken` tells whether control went elsewhere
 *         than to the next instruction. A block ends at every instruction that may change the
 *         program counter, and sometimes earlier; then taken is false.
 */
struct model {
    const char *name, *target;
    size_t (*decode)(const uint8_t *code, struct insn *insn);
    unsigned (*step)(struct pipeline *p, const struct insn *insn);
    unsigned (*enter)(struct pipeline *p, bool taken);
};

static unsigned later(unsigned a, unsigned b)
{
    return a > b ? a : b;
}

/* First cycle in which all registers of a mask can be read. */
static unsigned ready_at(const struct pipeline *p, uint64_t registers)
{
    unsigned at = 0;
    for (; registers != 0; registers &= registers - 1) {
        at = later(at, p->ready[__builtin_ctzll(registers)]);
    }
    return at;
}

/* `cycles` later. */
static void advance(struct pipeline *p, unsigned cycles)
{
    for (size_t i = 0; i < sizeof p->ready; i++) {
        p->ready[i] = (uint8_t)(p->ready[i] > cycles ? p->ready[i] - cycles : 0);
    }
    for (size_t i = 0; i < UNITS; i++) {
        p->free_at[i] = (uint8_t)(p->free_at[i] > cycles ? p->free_at[i] - cycles : 0);
    }
}

/* The registers of a mask can be read from cycle `latency` on. */
static void write_registers(struct pipeline *p, uint64_t registers, unsigned latency)
{
    for (; registers != 0; registers &= registers - 1) {
        p->ready[__builtin_ctzll(registers)] = (uint8_t)latency;
    }
}

#endif
