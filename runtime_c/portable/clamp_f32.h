#pragma once
#include <math.h> /* INFINITY, as a bound that is no bound */

/* x clamped to [low, high]; NaN stays NaN. */
static inline float pl_clamp_f32(float x, float low, float high)
{
    return x < low ? low : x > high ? high : x;
}
