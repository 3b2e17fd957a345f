#pragma once
#include "fully_connected_dsp.h"

/* Groups of six channels, any weights. */
static PL_NOINLINE void pl_fully_connected_dsp_channels_any(const pl_fully_connected_dsp_args *a)
{
    PL_FC_RUN(PL_FC("62", PL_FC_ANY, "", "lsl #1"), 1);
}

/* Fully-connected layer: see fully_connected_dsp.h. */
static void pl_fully_connected_s8__dsp_any(const int8_t *x, int8_t *y, int32_t pixels,
                                           const pl_fully_connected_dsp_params *p)
{
    pl_fully_connected_dsp_run(x, y, pixels, p, pl_fully_connected_dsp_channels_any);
}
