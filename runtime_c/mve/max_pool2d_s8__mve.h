#pragma once
#include "common_mve.h"

/* Maximum pooling of int8, one output row, 16 channels at a time.
 *
 * Formula, rows, y and parameters as pl_max_pool2d_s8. No scratch.
 */
typedef struct {
    int32_t in_w, channels, out_w;
    int32_t kernel_h, kernel_w, stride_w, pad_left;
    int32_t low, high;
} pl_max_pool2d_s8__mve_params;

/* largest[c] = max(largest[c], x[i * pitch + c]), c < n, i < count. */
static PL_NOINLINE void pl_max_pool2d_s8__mve_walk(int8_t largest[16], const int8_t *x, int32_t count,
                                   int32_t pitch, int32_t n)
{
#ifdef PL_MVE
    const mve_pred16_t inside = vctp8q((uint32_t)n);
    int8x16_t v = vldrbq_s8(largest);
    for (; count > 0; count--, x += pitch) {
        v = vmaxq_m_s8(v, v, vldrbq_z_s8(x, inside), inside);
    }
    vstrbq_s8(largest, v);
#else
    for (; count > 0; count--, x += pitch) {
        for (int32_t c = 0; c < n; c++) {
            largest[c] = x[c] > largest[c] ? x[c] : largest[c];
        }
    }
#endif
}

static void pl_max_pool2d_s8__mve(const void *const *rows, int8_t *y,
                                  const pl_max_pool2d_s8__mve_params *p)
{
    const int32_t channels = p->channels;
    for (int32_t ox = 0; ox < p->out_w; ox++, y += channels) {
        const int32_t x0 = ox * p->stride_w - p->pad_left;
        const int32_t first = x0 > 0 ? x0 : 0;
        const int32_t end = x0 + p->kernel_w < p->in_w ? x0 + p->kernel_w : p->in_w;
        for (int32_t c = 0; c < channels; c += 16) {
            const int32_t n = pl_mve_next(channels - c, 16);
            int8_t largest[16];
            memset(largest, p->low, sizeof largest);
            for (int32_t ky = 0; ky < p->kernel_h; ky++) {
                if (rows[ky]) {
                    const int8_t *x = (const int8_t *)rows[ky] + (ptrdiff_t)first * channels + c;
                    pl_max_pool2d_s8__mve_walk(largest, x, end - first, channels, n);
                }
            }
            for (int32_t i = 0; i < n && p->high < INT8_MAX; i++) {
                largest[i] = (int8_t)(largest[i] < p->high ? largest[i] : p->high);
            }
            memcpy(y + c, largest, (size_t)n);
        }
    }
}
