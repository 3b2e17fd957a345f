#pragma once
#include "common_mve.h"

/* Any function of one byte: y[i] = table[x[i]], n elements, table of 256 bytes; n >= 1.
 * Aliasing: y may be x. No scratch.
 */
static void pl_lookup__mve(const uint8_t *x, uint8_t *y, int32_t n, const uint8_t *table)
{
#ifdef PL_MVE
    __asm__ volatile("dlstp.8 lr, %[n]\n"
                     "1:\n\t"
                     "vldrb.u8 q0, [%[x]], #16\n\t"
                     "vldrb.u8 q1, [%[table], q0]\n\t"
                     "vstrb.8 q1, [%[y]], #16\n\t"
                     "letp lr, 1b"
                     : [x] "+&r"(x), [y] "+&r"(y)
                     : [n] "r"(n), [table] "r"(table)
                     : "lr", "q0", "q1", "memory");
#else
    for (int32_t i = 0; i < n; i++) {
        y[i] = table[x[i]];
    }
#endif
}
