/* STM32 F1/F2/F4 USART: SR 0x00, DR 0x04, CR1 0x0C. */
#include "machine.h"

void uart_start(void)
{
    *machine_register(UART_BASE + 0x0C) = 1u << 13 | 1u << 3; /* UE, TE */
}

void uart_put(uint8_t byte)
{
    while ((*machine_register(UART_BASE + 0x00) & 1u << 7) == 0) { /* TXE */
    }
    *machine_register(UART_BASE + 0x04) = byte;
}
