/* nRF51 UART: task STARTTX 0x008, event TXDRDY 0x11C, ENABLE 0x500, TXD 0x51C. */
#include "machine.h"

void uart_start(void)
{
    *machine_register(UART_BASE + 0x500) = 4;
    *machine_register(UART_BASE + 0x008) = 1;
}

void uart_put(uint8_t byte)
{
    *machine_register(UART_BASE + 0x11C) = 0;
    *machine_register(UART_BASE + 0x51C) = byte;
    while (*machine_register(UART_BASE + 0x11C) == 0) {
    }
}
