#pragma once
#include "common.h"

/* Any function of one byte: y[i] = table[x[i]], n elements, table of 256 bytes.
 * Signed types are read and written as the bytes that store them.
 * Aliasing: y may be x. No scratch.
 */
static void pl_lookup(const uint8_t *x, uint8_t *y, int32_t n, const uint8_t *table)
{
    /* Loads side by side are cheaper than apart on many cores. */
    for (; n >= 4; n -= 4, x += 4, y += 4) {
        const uint8_t a = x[0], b = x[1], c = x[2], d = x[3];
        const uint8_t ya = table[a], yb = table[b], yc = table[c], yd = table[d];
        y[0] = ya;
        y[1] = yb;
        y[2] = yc;
        y[3] = yd;
    }
    for (; n > 0; n--) {
        *y++ = table[*x++];
    }
}
