/* What a test harness needs from the machine it runs on, the same on every emulated board and on the host.
 *
 * A harness defines guest_main() and uses only these functions and what it was built to test. guest.c with
 * one UART driver implements them for emulated boards, host.c for the host.
 */
#ifndef PATCHLOOM_GUEST_H
#define PATCHLOOM_GUEST_H

#include <stddef.h>
#include <stdint.h>

#if defined(__cplusplus)
extern "C" {
#endif

/* Zero-initialised buffers of the harness. Where the machine has memory beyond the board's, they live
 * there and do not count as the board's RAM. */
#if defined(GUEST_ON_HOST)
#define GUEST_HARNESS_BUFFER
#define GUEST_HARNESS_CONST
#else
#define GUEST_HARNESS_BUFFER __attribute__((section(".harness_bss")))
/* Constant tables of the harness, which then do not count as the board's flash. */
#define GUEST_HARNESS_CONST __attribute__((section(".harness_const")))
#endif

/* The program under test; its value is the exit code. */
int guest_main(void);

/* Append `size` bytes to the output. */
void guest_write(const void *data, size_t size);

/* End the program with an exit code. Does not return. */
void guest_exit(int code) __attribute__((noreturn));

/* The input bytes of this run, aligned to 16. Their number is not known to the guest: harnesses start
 * their inputs with a count where they need one. */
const uint8_t *guest_inputs(void);

/* Fill the unused stack below the caller with a pattern; returns the number of bytes filled. */
uint32_t guest_stack_paint(void);

/* Bytes of stack used below the sp of the guest_stack_paint() caller since then. 0 on the host. */
uint32_t guest_stack_used(void);

/* CRC-32 as zlib computes it (polynomial 0xEDB88320, initial value and final xor 0xFFFFFFFF), going on
 * from `crc`, the value for the bytes before; 0 for none. */
uint32_t guest_crc32(uint32_t crc, const void *data, size_t size);

/* A point in the program that counts refer to. With the plugin the address of this function is a marker and
 * the call costs a handful of cycles; built with GUEST_TIMER_MARKS it records the guest's timer. */
void guest_mark(void);

#if defined(__cplusplus)
}
#endif

#endif
