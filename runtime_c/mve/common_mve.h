#pragma once
#include "../portable/common.h"

/* What all Helium kernels share. Functions have two bodies: instructions of the M-profile vector
 * extension (integer part), and the C that says what they compute, for any other compiler. The
 * spaces in the directive keep it where it is, behind its condition, when kernels are gathered in
 * one file.
 */
#if defined(__GNUC__) && defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1)
#define PL_MVE 1
#  include <arm_mve.h>
#endif

/* Channels or pixels of the next group: `most`, or what is left. */
static inline int32_t pl_mve_next(int32_t left, int32_t most)
{
    return left < most ? left : most;
}
