/* 16550 UART with byte-wide registers: THR 0, LSR 5. */
#include "machine.h"

void uart_start(void)
{
}

void uart_put(uint8_t byte)
{
    volatile uint8_t *uart = (volatile uint8_t *)UART_BASE;
    while ((uart[5] & 0x20u) == 0) { /* transmit holding register empty */
    }
    uart[0] = byte;
}
