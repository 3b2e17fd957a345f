#pragma once
#include "pairs8_channels.h"
#include "windows.h"

/* pl_conv2d_s8__scalar_pairs with eight pixels at a time while there are more than six. scratch:
 * 16 * k.
 */
static void pl_conv2d_s8__scalar_pairs8(const void *const *rows, int8_t *y, int32_t n,
                                        uint32_t *scratch,
                                        const pl_conv2d_s8__scalar_pairs_params *p)
{
    const pl_windows *w = &p->windows;
    pl_window at = {0, -w->pad_left, w->out_w};
    for (int32_t left = n * w->out_w, pixels; left > 0; left -= pixels) {
        pixels = pl_pairs8_block(left);
        at = pl_gather_pixels(scratch, pl_pairs8_words(pixels), rows, at, pixels, w);
        pl_pairs8_channels_s8(scratch, y, pixels, &p->pairs);
        y += pixels * p->pairs.out_c;
    }
}
