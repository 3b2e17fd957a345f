/* CMSDK APB UART (mps2, mps3): DATA 0x00, STATE 0x04, CTRL 0x08, BAUDDIV 0x10. */
#include "machine.h"

void uart_start(void)
{
    *machine_register(UART_BASE + 0x10) = 16; /* the smallest divider; the emulator ignores the rate */
    *machine_register(UART_BASE + 0x08) = 1;  /* transmit enable */
}

void uart_put(uint8_t byte)
{
    while (*machine_register(UART_BASE + 0x04) & 1u) { /* transmit buffer full */
    }
    *machine_register(UART_BASE + 0x00) = byte;
}
