/* Cycles of translated blocks.
 *
 * A model is a state machine over instructions. The state in which control enters a block decides
 * how long the block takes and the state in which it leaves it, so both are remembered per state of
 * entry, and a block that runs again costs one comparison.
 */
#ifndef PATCHLOOM_TIMING_H
#define PATCHLOOM_TIMING_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline.h"

enum { PASSAGES = 4, BUCKETS = 1024 };

/* One way through a block: how it was entered, what it took, how it was left. States are interned,
 * so they are compared by address. */
struct passage {
    const struct pipeline *entry, *exit;
    bool taken;
    uint64_t cycles;
};

struct timed_block {
    size_t count;
    struct insn *insns;
    struct passage passages[PASSAGES];
    unsigned oldest;
};

struct interned {
    struct pipeline state;
    struct interned *next;
};

static void *checked(void *memory)
{
    if (memory == NULL) {
        fputs("patchloom plugin: out of memory\n", stderr);
        abort();
    }
    return memory;
}

/* The one copy of this state. */
static const struct pipeline *intern(const struct pipeline *state)
{
    static struct interned *buckets[BUCKETS];
    const unsigned char *bytes = (const unsigned char *)state;
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < sizeof *state; i++) {
        hash = (hash ^ bytes[i]) * 16777619u;
    }
    struct interned **at = &buckets[hash % BUCKETS];
    for (; *at != NULL; at = &(*at)->next) {
        if (memcmp(&(*at)->state, state, sizeof *state) == 0) {
            return &(*at)->state;
        }
    }
    *at = checked(calloc(1, sizeof **at));
    memcpy(&(*at)->state, state, sizeof *state);
    return &(*at)->state;
}

/* Cycles from entering a block until its first `count` instructions are done; leaves the state in
 * *p. */
static uint64_t simulate(const struct model *model, const struct timed_block *b, size_t count,
                         const struct pipeline *entry, bool taken, struct pipeline *p)
{
    memcpy(p, entry, sizeof *p);
    uint64_t cycles = model->enter(p, taken);
    for (size_t i = 0; i < count; i++) {
        cycles += model->step(p, &b->insns[i]);
    }
    return cycles;
}

static const struct passage *pass(const struct model *model, struct timed_block *b,
                                  const struct pipeline *entry, bool taken)
{
    for (size_t i = 0; i < PASSAGES; i++) {
        if (b->passages[i].entry == entry && b->passages[i].taken == taken) {
            return &b->passages[i];
        }
    }
    struct pipeline after;
    struct passage *passage = &b->passages[b->oldest];
    b->oldest = (b->oldest + 1) % PASSAGES;
    passage->entry = entry;
    passage->taken = taken;
    passage->cycles = simulate(model, b, b->count, entry, taken, &after);
    passage->exit = intern(&after);
    return passage;
}

#endif
