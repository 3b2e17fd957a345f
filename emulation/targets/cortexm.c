/* Start-up, faults, reset and timer of every Cortex-M. */
#include <stddef.h>

#include "machine.h"

#define SCB_AIRCR 0xE000ED0Cu
#define SCB_CCR 0xE000ED14u
#define SCB_CFSR 0xE000ED28u
#define SCB_HFSR 0xE000ED2Cu
#define SCB_BFAR 0xE000ED38u
#define SCB_CPACR 0xE000ED88u
#define SYST_CSR 0xE000E010u
#define SYST_RVR 0xE000E014u
#define SYST_CVR 0xE000E018u
#define CCR_UNALIGN_TRP (1u << 3)

extern uint32_t guest_data_start[], guest_data_end[], guest_bss_start[], guest_bss_end[];
extern const uint32_t guest_data_load[];

void cortexm_reset(void);
void cortexm_fault(void);
void cortexm_systick(void);
void cortexm_start(void);
void cortexm_report(const uint32_t *frame, uint32_t exception);

#define VECTORS 64
__attribute__((section(".vectors"), used)) static const void *const vectors[VECTORS] = {
    [0] = guest_stack_top,
    [1] = (const void *)cortexm_reset,
    [2 ... 14] = (const void *)cortexm_fault,
    [15] = (const void *)cortexm_systick,
    [16 ... VECTORS - 1] = (const void *)cortexm_fault,
};

/* The FPU and MVE are switched on before any compiled code, which may use them for copies. */
__attribute__((naked, noreturn)) void cortexm_reset(void)
{
#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
    __asm__ volatile("ldr r0, =0xE000ED88 \n"
                     "ldr r1, [r0]        \n"
                     "orr r1, #0x00F00000 \n"
                     "str r1, [r0]        \n"
                     "dsb                 \n"
                     "isb                 \n");
#endif
#if defined(__ARM_ARCH_8M_MAIN__) || defined(__ARM_ARCH_8_1M_MAIN__)
    __asm__ volatile("ldr r0, =guest_stack_limit \n"
                     "adds r0, #8                \n" /* above the canary */
                     "msr msplim, r0             \n");
#endif
    __asm__ volatile("bl cortexm_start");
}

void cortexm_start(void)
{
    const uint32_t *from = guest_data_load;
    for (uint32_t *to = guest_data_start; to < guest_data_end;) {
        *to++ = *from++;
    }
    for (uint32_t *to = guest_bss_start; to < guest_bss_end;) {
        *to++ = 0;
    }
#if defined(GUEST_TRAP_UNALIGNED)
    *machine_register(SCB_CCR) |= CCR_UNALIGN_TRP; /* ARMv6-M code on an ARMv7-M core */
#endif
    guest_start();
}

/* A fault may mean that the stack is gone: note where the frame is, then report from a fresh stack. */
__attribute__((naked)) void cortexm_fault(void)
{
#if defined(__ARM_ARCH_8M_MAIN__) || defined(__ARM_ARCH_8_1M_MAIN__)
    __asm__ volatile("movs r0, #0 \n"
                     "msr msplim, r0");
#endif
    __asm__ volatile("mov r0, sp              \n"
                     "mrs r1, ipsr            \n"
                     "ldr r2, =guest_stack_top\n"
                     "subs r2, #64            \n"
                     "ldr r3, [r0, #24]       \n" /* pc and lr of the frame may lie where we write */
                     "str r3, [r2, #4]        \n"
                     "ldr r3, [r0, #20]       \n"
                     "str r3, [r2]            \n"
                     "mov r0, r2              \n"
                     "mov sp, r2              \n"
                     "bl cortexm_report       \n");
}

void cortexm_report(const uint32_t *frame, uint32_t exception)
{
    uint32_t words[6];
    words[0] = exception;
    words[1] = frame[1]; /* pc */
    words[2] = frame[0]; /* lr */
    words[3] = *machine_register(SCB_CFSR);
    words[4] = *machine_register(SCB_HFSR);
    words[5] = *machine_register(SCB_BFAR);
    guest_fault(words, 6);
}

void machine_stop(void)
{
    *machine_register(SCB_AIRCR) = 0x05FA0004u; /* SYSRESETREQ, which ends the emulator */
    for (;;) {
    }
}

static volatile uint32_t timer_wraps;

void cortexm_systick(void)
{
    timer_wraps = timer_wraps + 1;
}

void machine_timer_start(void)
{
    *machine_register(SYST_RVR) = 0xFFFFFFu;
    *machine_register(SYST_CVR) = 0;
    *machine_register(SYST_CSR) = 7; /* processor clock, interrupt, enable */
}

uint64_t machine_timer(void)
{
    uint32_t wraps, ticks;
    do {
        wraps = timer_wraps;
        ticks = (0u - *machine_register(SYST_CVR)) & 0xFFFFFFu; /* counts down, from 0 at first */
    } while (wraps != timer_wraps);
    return (uint64_t)wraps << 24 | ticks;
}
