/* guest.h for emulated boards. Output leaves through a UART as records: a type byte, the payload's length
 * as 4 bytes little-endian, the payload.
 *   W  output bytes      X  exit code (int32)      F  fault registers (uint32 each)
 *   O  the stack overflowed (no payload)           M  timer marks (uint64 each)
 */
#include "guest.h"

#include "machine.h"

#define PAINT 0xC5C5C5C5u
#define CANARY 0x5AFEC0DEu

static uintptr_t painted_top;

static void put_record(char type, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    uart_put((uint8_t)type);
    for (unsigned shift = 0; shift < 32; shift += 8) {
        uart_put((uint8_t)((uint32_t)size >> shift));
    }
    for (size_t i = 0; i < size; i++) {
        uart_put(bytes[i]);
    }
}

void guest_write(const void *data, size_t size)
{
    put_record('W', data, size);
}

const uint8_t *guest_inputs(void)
{
    return guest_inputs_start;
}

#if defined(GUEST_TIMER_MARKS)
static GUEST_HARNESS_BUFFER uint64_t marks[GUEST_MAX_MARKS];
static uint32_t mark_count;

void guest_mark(void)
{
    if (mark_count < GUEST_MAX_MARKS) {
        marks[mark_count] = machine_timer();
    }
    mark_count++;
}

static void put_marks(void)
{
    /* more marks than the table holds are left out altogether: the reader sees that they are missing */
    put_record('M', marks, mark_count <= GUEST_MAX_MARKS ? mark_count * sizeof marks[0] : 0);
}
#else
__attribute__((noinline)) void guest_mark(void)
{
    __asm__ volatile(""); /* keeps calls from being removed */
}
#endif

void guest_exit(int code)
{
    int32_t value = code;
    if (guest_stack_limit[0] != CANARY) {
        put_record('O', &value, 0);
    }
#if defined(GUEST_TIMER_MARKS)
    put_marks();
#endif
    put_record('X', &value, sizeof value);
    machine_stop();
}

void guest_fault(const uint32_t *words, uint32_t count)
{
    put_record('F', words, count * sizeof words[0]);
    machine_stop();
}

void guest_start(void)
{
    guest_stack_limit[0] = CANARY;
    uart_start();
#if defined(GUEST_TIMER_MARKS)
    machine_timer_start();
#endif
    guest_exit(guest_main());
}

/* A leaf without a frame of its own: its sp is the caller's, and it paints right up to it. */
__attribute__((noinline)) uint32_t guest_stack_paint(void)
{
    uintptr_t top = (uintptr_t)__builtin_dwarf_cfa();
    painted_top = top;
    for (uintptr_t at = (uintptr_t)(guest_stack_limit + 1); at < top; at += sizeof(uint32_t)) {
        *(volatile uint32_t *)at = PAINT;
    }
    return (uint32_t)(top - (uintptr_t)(guest_stack_limit + 1));
}

uint32_t guest_stack_used(void)
{
    const uint32_t *word = guest_stack_limit + 1;
    while ((uintptr_t)word < painted_top && *(const volatile uint32_t *)word == PAINT) {
        word++;
    }
    return (uint32_t)(painted_top - (uintptr_t)word);
}
