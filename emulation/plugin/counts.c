/* QEMU TCG plugin: instructions and cycles at marker addresses.
 *
 * Arguments
 *   out=FILE       where the snapshots are written when the emulator ends (required)
 *   markers=FILE   hexadecimal addresses, one per line
 *   marker=0xADDR  one more address; may be repeated
 *   model=m4|none  cycle model; with none, cycles are not counted
 *
 * Each time the instruction at a marker address is about to execute, the totals so far are recorded. The
 * output has one line `ADDR INSTRUCTIONS CYCLES` per snapshot (address hexadecimal, `-` for no cycles)
 * and ends with `end INSTRUCTIONS CYCLES`, which also tells a complete file from a cut one.
 *
 * Costs are summed per translated block when QEMU translates it. Two things are only known when blocks
 * run: whether a block was entered by a taken branch (its start is not where the last one ended), and
 * whether its first load follows a single load or store (then it costs 1 instead of 2).
 *
 * One emulated CPU. An exception inside a block would count the rest of the block; the guest programs
 * here end at their first exception.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "m4_model.h"
#include "qemu_plugin_api.h"

/* A guest that loops over a marker must not eat the host's memory: 2^23 snapshots are 192 MiB. */
#define MAX_SNAPSHOTS ((size_t)1 << 23)

struct block {
    uint64_t start, end;
    uint64_t instructions, cycles;
    bool first_is_load, last_is_single;
};

struct marker_hit {
    const struct block *block;
    uint64_t address;
    uint64_t instructions_before, cycles_before; /* within the block */
};

struct snapshot {
    uint64_t address, instructions, cycles;
};

static struct {
    FILE *out;
    bool with_cycles, truncated;
    uint64_t *markers;
    size_t marker_count;
    struct snapshot *snapshots;
    size_t snapshot_count, snapshot_capacity;
    uint64_t instructions, cycles;
    uint64_t last_end;
    bool last_is_single, first_load_paired;
} state;

PLUGIN_EXPORT int qemu_plugin_version = PLUGIN_API_VERSION;

PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc,
                                      char **argv);

static void *checked(void *memory)
{
    if (memory == NULL) {
        fputs("patchloom plugin: out of memory\n", stderr);
        abort();
    }
    return memory;
}

static bool is_marker(uint64_t address)
{
    for (size_t i = 0; i < state.marker_count; i++) {
        if (state.markers[i] == address) {
            return true;
        }
    }
    return false;
}

static void on_block(unsigned int cpu, void *userdata)
{
    const struct block *b = userdata;
    (void)cpu;
    state.instructions += b->instructions;
    if (!state.with_cycles) {
        return;
    }
    state.cycles += b->cycles;
    if (b->start != state.last_end) {
        state.cycles += M4_TAKEN_BRANCH_CYCLES;
    }
    state.first_load_paired = b->first_is_load && state.last_is_single;
    if (state.first_load_paired) {
        state.cycles -= 1;
    }
    state.last_end = b->end;
    state.last_is_single = b->last_is_single;
}

static void on_marker(unsigned int cpu, void *userdata)
{
    const struct marker_hit *hit = userdata;
    (void)cpu;
    if (state.snapshot_count == MAX_SNAPSHOTS) {
        state.truncated = true;
        return;
    }
    if (state.snapshot_count == state.snapshot_capacity) {
        state.snapshot_capacity = state.snapshot_capacity ? 2 * state.snapshot_capacity : 1024;
        state.snapshots =
            checked(realloc(state.snapshots, state.snapshot_capacity * sizeof *state.snapshots));
    }
    struct snapshot *s = &state.snapshots[state.snapshot_count++];
    s->address = hit->address;
    /* on_block has already added the whole block: take back what lies at and after the marker */
    s->instructions = state.instructions - (hit->block->instructions - hit->instructions_before);
    s->cycles = state.cycles - (hit->block->cycles - hit->cycles_before);
    if (hit->instructions_before == 0 && state.first_load_paired) {
        s->cycles += 1;
    }
}

/* Size and cost of one instruction; the reported size is not used because QEMU 7.2 may append bytes of the
 * following instruction at the end of a page. */
static size_t decode(const uint8_t *code, struct insn_cost *cost)
{
    unsigned h1 = (unsigned)(code[0] | code[1] << 8);
    if (h1 >> 11 < 0x1D) {
        *cost = m4_narrow(h1);
        return 2;
    }
    *cost = m4_wide(h1, (unsigned)(code[2] | code[3] << 8));
    return 4;
}

static void on_translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    size_t n = qemu_plugin_tb_n_insns(tb);
    struct block *b = checked(calloc(1, sizeof *b));
    (void)id;
    b->instructions = n;
    for (size_t i = 0; i < n; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        uint64_t address = qemu_plugin_insn_vaddr(insn);
        if (i == 0) {
            b->start = address;
        }
        if (is_marker(address)) {
            struct marker_hit *hit = checked(calloc(1, sizeof *hit));
            hit->block = b;
            hit->address = address;
            hit->instructions_before = i;
            hit->cycles_before = b->cycles;
            qemu_plugin_register_vcpu_insn_exec_cb(insn, on_marker, QEMU_PLUGIN_CB_NO_REGS, hit);
        }
        if (!state.with_cycles) {
            continue;
        }
        struct insn_cost cost;
        b->end = address + decode(qemu_plugin_insn_data(insn), &cost);
        bool is_load = cost.access == ACCESS_SINGLE_LOAD;
        if (i == 0) {
            b->first_is_load = is_load;
        }
        b->cycles += (is_load && i > 0 && b->last_is_single) ? 1 : cost.cycles;
        b->last_is_single = cost.access != ACCESS_OTHER;
    }
    qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, QEMU_PLUGIN_CB_NO_REGS, b);
}

static void write_line(const char *label, uint64_t instructions, uint64_t cycles)
{
    fprintf(state.out, "%s %" PRIu64 " ", label, instructions);
    if (state.with_cycles) {
        fprintf(state.out, "%" PRIu64 "\n", cycles);
    } else {
        fputs("-\n", state.out);
    }
}

static void on_exit_of_emulator(qemu_plugin_id_t id, void *userdata)
{
    (void)id;
    (void)userdata;
    for (size_t i = 0; i < state.snapshot_count; i++) {
        const struct snapshot *s = &state.snapshots[i];
        char address[24];
        snprintf(address, sizeof address, "%" PRIx64, s->address);
        write_line(address, s->instructions, s->cycles);
    }
    write_line(state.truncated ? "truncated" : "end", state.instructions, state.cycles);
    fclose(state.out);
}

static bool add_marker(const char *text)
{
    char *end;
    errno = 0;
    uint64_t address = strtoull(text, &end, 16);
    if (errno != 0 || end == text || (*end != '\0' && *end != '\n')) {
        fprintf(stderr, "patchloom plugin: bad marker address '%s'\n", text);
        return false;
    }
    state.markers = checked(realloc(state.markers, (state.marker_count + 1) * sizeof *state.markers));
    state.markers[state.marker_count++] = address;
    return true;
}

static bool read_markers(const char *path)
{
    char line[64];
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        fprintf(stderr, "patchloom plugin: cannot read '%s': %s\n", path, strerror(errno));
        return false;
    }
    bool ok = true;
    while (ok && fgets(line, sizeof line, file) != NULL) {
        ok = add_marker(line);
    }
    fclose(file);
    return ok;
}

static bool take_argument(const char *argument)
{
    const char *value = strchr(argument, '=');
    size_t key = value == NULL ? 0 : (size_t)(value - argument);
    if (key == 3 && strncmp(argument, "out", key) == 0) {
        state.out = fopen(value + 1, "w");
        return state.out != NULL;
    }
    if (key == 6 && strncmp(argument, "marker", key) == 0) {
        return add_marker(value + 1);
    }
    if (key == 7 && strncmp(argument, "markers", key) == 0) {
        return read_markers(value + 1);
    }
    if (strcmp(argument, "model=m4") == 0 || strcmp(argument, "model=none") == 0) {
        state.with_cycles = strcmp(value + 1, "m4") == 0;
        return true;
    }
    return false;
}

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        if (!take_argument(argv[i])) {
            fprintf(stderr, "patchloom plugin: argument '%s' is not usable\n", argv[i]);
            return -1;
        }
    }
    if (state.out == NULL || !info->system_emulation || info->system.max_vcpus > 1) {
        fputs("patchloom plugin: needs out=FILE and a machine with one CPU\n", stderr);
        return -1;
    }
    if (state.with_cycles && strcmp(info->target_name, "arm") != 0) {
        fprintf(stderr, "patchloom plugin: model m4 cannot time '%s'\n", info->target_name);
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
    qemu_plugin_register_atexit_cb(id, on_exit_of_emulator, NULL);
    return 0;
}
