#pragma once
#include "fully_connected_dsp.h"

/* Groups of six channels, weights as lanes. */
static PL_NOINLINE void pl_fully_connected_dsp_channels(const pl_fully_connected_dsp_args *a)
{
    PL_FC_RUN(PL_FC("50", PL_FC_LANES, PL_FC_SPLIT, "asr #7"), 0);
}

/* Fully-connected layer: see fully_connected_dsp.h. */
static void pl_fully_connected_s8__dsp(const int8_t *x, int8_t *y, int32_t pixels,
                                       const pl_fully_connected_dsp_params *p)
{
    pl_fully_connected_dsp_run(x, y, pixels, p, pl_fully_connected_dsp_channels);
}
