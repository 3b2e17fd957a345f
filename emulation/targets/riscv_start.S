/* Reset and trap entry of the RISC-V `virt` machine. Zicsr is named here because the compiler's -march
 * leaves it out: with it no library variant would match. */
    .option arch, +zicsr
    .section .text.start, "ax"
    .globl riscv_reset
riscv_reset:
    .option push
    .option norelax
    la gp, __global_pointer$
    .option pop
    la sp, guest_stack_top
    la t0, riscv_trap
    csrw mtvec, t0
    li t0, 0x6600            /* mstatus: FS and VS dirty, so that F, D and V instructions run */
    csrs mstatus, t0
    j riscv_start_c

    .balign 4
riscv_trap:
    csrr a0, mcause
    csrr a1, mepc
    csrr a2, mtval
    mv a3, ra
    la sp, guest_stack_top
    j riscv_report

/* uint32_t riscv_instret_low(void), riscv_instret_high(void) */
    .globl riscv_instret_low
riscv_instret_low:
    csrr a0, minstret
    ret
#if __riscv_xlen == 32
    .globl riscv_instret_high
riscv_instret_high:
    csrr a0, minstreth
    ret
#endif
