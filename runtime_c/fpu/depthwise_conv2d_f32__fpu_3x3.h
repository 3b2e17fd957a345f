#pragma once
#include "../portable/clamp_f32.h"
#include "../portable/common.h"

/* Depthwise 2-D convolution of float32 with 3x3 windows, one output row, channel by channel: the
 * weights of a channel stay in registers, and with stride 1 so do two columns of the window.
 *
 *   y[ox][c] = clamp(bias[c] + sum over ky,kx of row[ky][ox*stride + kx - pad][c]
 *                                              * weights[c][ky][kx])
 *
 * rows     3 pointers to input rows [in_w][channels]; rows outside the input hold zeros
 * y        [out_w][channels]; must not overlap any row
 * stride_w 1 or 2; pad_left 0 to 2
 * Columns outside the input are zeros: weights are finite, so their products do not change a sum.
 * No scratch. Order of additions: ky, kx, from 0; the bias last.
 */
typedef struct {
    int32_t in_w, channels, out_w, stride_w, pad_left;
    float low, high;
    const float *weights; /* [channels][3][3] */
    const float *bias;    /* [channels] */
} pl_depthwise_conv2d_f32__fpu_3x3_params;

typedef struct {
    float x0, x1, x2;
} pl_column3_f32;

typedef struct {
    const float *x0, *x1, *x2; /* the channel in the column of `ix` of each row */
    int32_t ix, in_w, pitch;
} pl_columns3_f32;

/* The column at ix, zeros outside; then the next. */
static PL_INLINE pl_column3_f32 pl_next_column3_f32(pl_columns3_f32 *s)
{
    pl_column3_f32 v = {0.0f, 0.0f, 0.0f};
    if (s->ix >= 0 && s->ix < s->in_w) {
        v.x0 = *s->x0;
        v.x1 = *s->x1;
        v.x2 = *s->x2;
        s->x0 += s->pitch;
        s->x1 += s->pitch;
        s->x2 += s->pitch;
    }
    s->ix++;
    return v;
}

/* The window of three columns. */
static PL_INLINE float pl_window3x3_f32(const float *w, pl_column3_f32 a, pl_column3_f32 b,
                                        pl_column3_f32 c)
{
    float sum = 0.0f;
    sum += a.x0 * w[0];
    sum += b.x0 * w[1];
    sum += c.x0 * w[2];
    sum += a.x1 * w[3];
    sum += b.x1 * w[4];
    sum += c.x1 * w[5];
    sum += a.x2 * w[6];
    sum += b.x2 * w[7];
    sum += c.x2 * w[8];
    return sum;
}

/* One channel; y is its output of the first pixel. */
static PL_INLINE void pl_depthwise3x3_f32(pl_columns3_f32 *s, float *y, int32_t stride, int32_t c,
                                          const pl_depthwise_conv2d_f32__fpu_3x3_params *p)
{
    const float *from = p->weights + 9 * c;
    const float w[9] = {from[0], from[1], from[2], from[3], from[4],
                        from[5], from[6], from[7], from[8]};
    const float bias = p->bias[c], low = p->low, high = p->high;
    pl_column3_f32 first = pl_next_column3_f32(s), second = pl_next_column3_f32(s);
    for (int32_t n = p->out_w; n > 0; n--, y += p->channels) {
        const pl_column3_f32 third = pl_next_column3_f32(s);
        *y = pl_clamp_f32(pl_window3x3_f32(w, first, second, third) + bias, low, high);
        first = stride == 1 ? second : third;
        second = stride == 1 || n == 1 ? third : pl_next_column3_f32(s);
    }
}

static void pl_depthwise_conv2d_f32__fpu_3x3(const void *const *rows, float *y,
                                             const pl_depthwise_conv2d_f32__fpu_3x3_params *p)
{
    for (int32_t c = 0; c < p->channels; c++) {
        pl_columns3_f32 s = {(const float *)rows[0] + c, (const float *)rows[1] + c,
                             (const float *)rows[2] + c, -p->pad_left, p->in_w, p->channels};
        if (p->stride_w == 1) {
            pl_depthwise3x3_f32(&s, y + c, 1, c, p);
        } else {
            pl_depthwise3x3_f32(&s, y + c, 2, c, p);
        }
    }
}
