/* One Thumb instruction from memory. */
#ifndef PATCHLOOM_THUMB_H
#define PATCHLOOM_THUMB_H

#include "pipeline.h"
#include "thumb_narrow.h"
#include "thumb_vector.h"
#include "thumb_wide.h"

/* The size QEMU reports is not used: QEMU 7.2 may append bytes of the following instruction at the
 * end of a page. */
static size_t decode_thumb(const uint8_t *code, struct insn *insn)
{
    unsigned h1 = (unsigned)(code[0] | code[1] << 8);
    if (h1 >> 11 < 0x1D) {
        decode_narrow(h1, insn);
        return 2;
    }
    decode_wide(h1, (unsigned)(code[2] | code[3] << 8), insn);
    return 4;
}

#endif
