/* Start-up, traps, exit and instruction counter of the RISC-V `virt` machine. */
#include "machine.h"

#define SIFIVE_TEST 0x100000u
#define SIFIVE_TEST_PASS 0x5555u

extern uint32_t guest_data_start[], guest_data_end[], guest_bss_start[], guest_bss_end[];
extern const uint32_t guest_data_load[];

void riscv_start_c(void) __attribute__((noreturn));
void riscv_report(uintptr_t cause, uintptr_t pc, uintptr_t value, uintptr_t ra) __attribute__((noreturn));
uintptr_t riscv_instret_low(void);
uintptr_t riscv_instret_high(void);

void riscv_start_c(void)
{
    const uint32_t *from = guest_data_load;
    for (uint32_t *to = guest_data_start; to < guest_data_end;) {
        *to++ = *from++;
    }
    for (uint32_t *to = guest_bss_start; to < guest_bss_end;) {
        *to++ = 0;
    }
    guest_start();
}

void riscv_report(uintptr_t cause, uintptr_t pc, uintptr_t value, uintptr_t ra)
{
    /* the same order as on Cortex-M: cause, pc, return address, then the rest */
    const uint32_t words[4] = {(uint32_t)cause, (uint32_t)pc, (uint32_t)ra, (uint32_t)value};
    guest_fault(words, 4);
}

void machine_stop(void)
{
    *machine_register(SIFIVE_TEST) = SIFIVE_TEST_PASS;
    for (;;) {
    }
}

void machine_timer_start(void)
{
}

uint64_t machine_timer(void)
{
#if __riscv_xlen == 32
    uint32_t high, low;
    do {
        high = riscv_instret_high();
        low = riscv_instret_low();
    } while (high != riscv_instret_high());
    return (uint64_t)high << 32 | low;
#else
    return riscv_instret_low();
#endif
}
