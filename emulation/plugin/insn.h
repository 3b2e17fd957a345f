/* One decoded instruction, as far as cycle models need it. */
#ifndef PATCHLOOM_INSN_H
#define PATCHLOOM_INSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum insn_kind {
    KIND_ALU,
    KIND_SHIFT, /* a shift, or an operation with a shifted operand */
    KIND_SIMD, /* extensions, bit fields, parallel arithmetic */
    KIND_SATURATE,
    KIND_NOP, /* NOP and memory hints */
    KIND_IT,
    KIND_SYSTEM, /* special registers, barriers, exceptions */
    KIND_LOAD,
    KIND_STORE,
    KIND_LOAD_DUAL,
    KIND_STORE_DUAL,
    KIND_LOAD_MULTIPLE,
    KIND_STORE_MULTIPLE,
    KIND_MUL, /* multiplications with a 32-bit result ... */
    KIND_MLA, /* ... and an accumulator */
    KIND_MULL, /* multiplications with a 64-bit result, or the upper half of one ... */
    KIND_MLAL, /* ... and an accumulator */
    KIND_DIV,
    KIND_BRANCH, /* to an address in the instruction */
    KIND_CALL,
    KIND_BRANCH_REGISTER, /* to an address in a register or table */
    KIND_LOOP_START,
    KIND_LOOP_END,
    KIND_FP,
    KIND_FP_DIV,
    KIND_FP_LOAD,
    KIND_FP_STORE,
    KIND_FP_LOAD_MULTIPLE,
    KIND_FP_STORE_MULTIPLE,
    KIND_MVE_LOAD,
    KIND_MVE_STORE,
    KIND_MVE_INT,
    KIND_MVE_MUL,
    KIND_MVE_ANY, /* either of the two pipelines above */
    KIND_MVE_CONTROL,
    KIND_VECTOR, /* RISC-V vectors: no model times them */
};

/* Registers are bits of a mask: core registers 0 to 31, floating point and vector registers from 32
 * on (Arm: one bit per single, four per vector). Core registers of Arm end at 15; above are its
 * flags. */
#define REG_FLAGS 16
#define REG_VPR 17
#define REG_FP 32

/* is_narrow       16-bit encoding
 * is_simple       16-bit move, addition or subtraction of an immediate, extension, NOP, branch
 * is_subword      a load of a byte or halfword
 * is_conditional  a branch that may fall through
 * is_backward     a branch to a lower address
 * to_pc           changes the program counter, whatever its kind
 * words           32-bit words that a load or store moves
 * latency         of vector instructions: cycles from reading operands to the result, else 0
 * address         lower bits, to tell loop ends apart
 * reads           registers read, without `late`
 * late            accumulators and store data, which are needed later than the rest
 * writes          results
 * updates         base registers written by a load or store
 */
struct insn {
    uint8_t kind;
    bool is_narrow, is_simple, is_subword, is_conditional, is_backward, to_pc;
    uint8_t words, latency;
    uint32_t address;
    uint64_t reads, late, writes, updates;
};

/* A three-bit register field of a 16-bit Thumb instruction. */
static inline unsigned reg_field(unsigned h, unsigned at)
{
    return (h >> at) & 7;
}

static inline uint64_t reg(unsigned number)
{
    return UINT64_C(1) << number;
}

#endif
