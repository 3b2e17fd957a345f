/* QEMU TCG plugin: instructions and cycles at marker addresses.
 *
 * Arguments
 *   out=FILE       where the snapshots are written when the emulator ends (required)
 *   markers=FILE   hexadecimal addresses, one per line
 *   marker=0xADDR  one more address; may be repeated
 *   model=NAME     cycle model (models.h); with none, cycles are not counted
 *
 * Each time the instruction at a marker address is about to execute, the totals so far are
 * recorded. The output has one line `ADDR INSTRUCTIONS CYCLES` per snapshot (address hexadecimal,
 * `-` for no cycles) and ends with `end INSTRUCTIONS CYCLES`, which also tells a complete file from
 * a cut one.
 *
 * Instructions are decoded when QEMU translates a block; what a block costs is worked out when it
 * first runs after a block that left the pipeline in a certain state, and remembered (timing.h).
 *
 * One emulated CPU. An exception inside a block would count the rest of the block; the guest
 * programs here end at their first exception.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models.h"
#include "qemu_plugin_api.h"
#include "timing.h"

/* A guest that loops over a marker must not eat the host's memory: 2^23 snapshots are 192 MiB. */
#define MAX_SNAPSHOTS ((size_t)1 << 23)

struct block {
    uint64_t start, end;
    struct timed_block timed; /* its count is that of instructions, also without a model */
};

struct marker_hit {
    const struct block *block;
    uint64_t address;
    size_t instructions_before; /* within the block */
};

struct snapshot {
    uint64_t address, instructions, cycles;
};

static struct {
    FILE *out;
    const struct model *model; /* NULL: cycles are not counted */
    bool truncated;
    uint64_t *markers;
    size_t marker_count;
    struct snapshot *snapshots;
    size_t snapshot_count, snapshot_capacity;
    uint64_t instructions, cycles;
    uint64_t last_end;
    const struct pipeline *pipeline;
    const struct passage *passage;
} state;

PLUGIN_EXPORT int qemu_plugin_version = PLUGIN_API_VERSION;

PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc,
                                      char **argv);

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
    struct block *b = userdata;
    (void)cpu;
    state.instructions += b->timed.count;
    if (state.model == NULL) {
        return;
    }
    state.passage = pass(state.model, &b->timed, state.pipeline, b->start != state.last_end);
    state.cycles += state.passage->cycles;
    state.pipeline = state.passage->exit;
    state.last_end = b->end;
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
    const struct timed_block *b = &hit->block->timed;
    s->instructions = state.instructions - (b->count - hit->instructions_before);
    s->cycles = state.cycles;
    if (state.model != NULL) {
        const struct passage *passage = state.passage;
        struct pipeline unused;
        uint64_t before =
            simulate(state.model, b, hit->instructions_before, passage->entry, passage->taken,
                     &unused);
        s->cycles -= passage->cycles - before;
    }
}

static void on_translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    size_t n = qemu_plugin_tb_n_insns(tb);
    struct block *b = checked(calloc(1, sizeof *b));
    (void)id;
    b->timed.count = n;
    if (state.model != NULL) {
        b->timed.insns = checked(calloc(n, sizeof *b->timed.insns));
    }
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
            qemu_plugin_register_vcpu_insn_exec_cb(insn, on_marker, QEMU_PLUGIN_CB_NO_REGS, hit);
        }
        if (state.model != NULL) {
            struct insn *decoded = &b->timed.insns[i];
            decoded->address = (uint32_t)address;
            b->end = address + state.model->decode(qemu_plugin_insn_data(insn), decoded);
        }
    }
    qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, QEMU_PLUGIN_CB_NO_REGS, b);
}

static void write_line(const char *label, uint64_t instructions, uint64_t cycles)
{
    fprintf(state.out, "%s %" PRIu64 " ", label, instructions);
    if (state.model != NULL) {
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
    state.markers =
        checked(realloc(state.markers, (state.marker_count + 1) * sizeof *state.markers));
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
    if (key == 5 && strncmp(argument, "model", key) == 0) {
        state.model = find_model(value + 1);
        return state.model != NULL || strcmp(value + 1, "none") == 0;
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
    if (state.model != NULL && strcmp(info->target_name, state.model->target) != 0) {
        fprintf(stderr, "patchloom plugin: model %s cannot time '%s'\n", state.model->name,
                info->target_name);
        return -1;
    }
    static const struct pipeline empty;
    state.pipeline = intern(&empty);
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
    qemu_plugin_register_atexit_cb(id, on_exit_of_emulator, NULL);
    return 0;
}
