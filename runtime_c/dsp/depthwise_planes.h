#pragma once
#include "common_dsp.h"

/* Input of the depthwise kernels that slide over one channel at a time: four channels at once are
 * taken out of NHWC rows and widened, so that one multiply-accumulate of lanes covers two columns.
 *
 *   planes[pair][line][channel]   word: lanes are columns 2 * pair and 2 * pair + 1 of that line
 *
 * A line is an input row; rows (NULL) and columns outside the input hold the zero point. For maps
 * that are higher than wide the roles are swapped: a line is a column and the pairs are of rows.
 * There are PL_DW_LINES lines, or PL_DW_TALL_LINES for high windows.
 */
enum { PL_DW_LINES = 8, PL_DW_PAIR = 4 * PL_DW_LINES };
enum { PL_DW_TALL_LINES = 12, PL_DW_TALL_PAIR = 4 * PL_DW_TALL_LINES };

/* Four channels at `offset` of a row, or the zero points at `zero` for a row outside the input. */
static inline const int8_t *pl_dw_at(const void *row, int32_t offset, const int32_t *zero)
{
    return row != NULL ? (const int8_t *)row + offset : (const int8_t *)(const void *)zero;
}

/* The words of four channels of two columns, whose bytes are a and b. */
static inline void pl_dw_pair(int32_t *to, int32_t a, int32_t b)
{
    const int32_t low = pl_pkhbt(a, b), high = pl_pkhtb(a, b);
    to[0] = pl_sxtb16(low);
    to[1] = pl_sxtb16_ror8(low);
    to[2] = pl_sxtb16(high);
    to[3] = pl_sxtb16_ror8(high);
}
