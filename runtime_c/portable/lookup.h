#pragma once
#include "common.h"

/* Any function of one byte: y[i] = table[x[i]], n elements, table of 256 bytes.
 * Signed types are read and written as the bytes that store them.
 * Aliasing: y may be x. No scratch.
 */
static void pl_lookup(const uint8_t *x, uint8_t *y, int32_t n, const uint8_t *table)
{
    for (int32_t i = 0; i < n; i++) {
        y[i] = table[x[i]];
    }
}
