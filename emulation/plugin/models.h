/* All cycle models. `target` is QEMU's name of the architecture. */
#ifndef PATCHLOOM_MODELS_H
#define PATCHLOOM_MODELS_H

#include "m0_model.h"
#include "m33_model.h"
#include "m4_model.h"
#include "m7_model.h"
#include "rv32_model.h"

static const struct model MODELS[] = {
    {"m0", "arm", decode_thumb, m0_step, m0_enter},
    {"m0plus", "arm", decode_thumb, m0plus_step, m0plus_enter},
    {"m0plus-slowmul", "arm", decode_thumb, m0plus_slowmul_step, m0plus_enter},
    {"m3", "arm", decode_thumb, m3_step, m4_enter},
    {"m4", "arm", decode_thumb, m4_step, m4_enter},
    {"m7", "arm", decode_thumb, m7_step, m7_enter},
    {"m33", "arm", decode_thumb, m33_step, m33_enter},
    {"m55", "arm", decode_thumb, m55_step, m55_enter},
    {"rv32", "riscv32", decode_riscv, rv32_step, rv32_enter},
};

static const struct model *find_model(const char *name)
{
    for (size_t i = 0; i < sizeof MODELS / sizeof *MODELS; i++) {
        if (strcmp(MODELS[i].name, name) == 0) {
            return &MODELS[i];
        }
    }
    return NULL;
}

#endif
