/* What a machine provides to guest.c. Each function is implemented once per driver or architecture. */
#ifndef PATCHLOOM_MACHINE_H
#define PATCHLOOM_MACHINE_H

#include <stdint.h>

/* UART driver (uart_<driver>.c); UART_BASE comes from the machine's description. */
void uart_start(void);
void uart_put(uint8_t byte);

/* Architecture (cortexm.c, riscv.c). */
void machine_stop(void) __attribute__((noreturn));
void machine_timer_start(void);
uint64_t machine_timer(void);

/* guest.c: called by the start-up code with RAM initialised. */
void guest_start(void) __attribute__((noreturn));

/* guest.c: report a fault and stop. `words` are the architecture's fault registers. */
void guest_fault(const uint32_t *words, uint32_t count) __attribute__((noreturn));

/* Placed by the linker script. */
extern uint32_t guest_stack_limit[]; /* lowest word of the stack, holds the canary */
extern uint32_t guest_stack_top[];
extern const uint8_t guest_inputs_start[];

static inline volatile uint32_t *machine_register(uintptr_t address)
{
    return (volatile uint32_t *)address;
}

#endif
