/* vcam/compose/filters/: cube.py, edge.py, look.py and light.py */

#include "common.h"

/* ---- a table of colours --------------------------------------------------------------------------------------- */

/* In the table, six bits of each plane, the places of one row of chroma; luma counts as the mean of its four. */
INLINE void find_colours(const u8 *restrict first, const u8 *restrict second, const u8 *restrict u, const u8 *restrict v,
                         i32 *restrict at, i32 width) {
    INDEPENDENT
    for (i32 x = 0; x < width; x++) {
        u16 four = (u16)(first[2 * x] + first[2 * x + 1] + second[2 * x] + second[2 * x + 1] + 2);
        at[x] = (four >> 4) << 12 | (u[x] >> 2) << 6 | v[x] >> 2;
    }
}

/* Apart and without promises: what compilers make of a table of bytes with vectors takes twice the time, and so does
   the loop where it has to share the registers of others. */
static __attribute__((noinline)) void look_up(const u8 *curve, const u8 *samples, u8 *to, i32 width) {
    UNROLLED
    for (i32 x = 0; x < width; x++) to[x] = curve[samples[x]];
}

/* samples = level + rest - 128, from 16 to `most` */
INLINE void add_rest(const u8 *restrict level, const u8 *restrict rest, u8 *restrict samples, i32 step, i32 width,
                     i32 most) {
    INDEPENDENT
    for (i32 x = 0; x < width; x++) {
        i16 value = (i16)(level[x] + rest[step * x] - 128);
        value = value < 16 ? 16 : value;
        samples[x] = (u8)(value < most ? value : most);
    }
}

/* How many numbers of four bytes vcam_lut needs. */
EXPORT ptrdiff_t vcam_lut_scratch(i32 width) { return 5 * (ptrdiff_t)width + 1; }

/* y: (2 * height, 2 * width), u and v: (height, width), all changed in place. curves: 256 samples for each plane;
   rest: for each colour the bytes of Y, Cb and Cr, and one more */
EXPORT void vcam_lut(u8 *y, ptrdiff_t y_stride, u8 *u, ptrdiff_t u_stride, u8 *v, ptrdiff_t v_stride, i32 width,
                     i32 height, const u8 *curves, const i32 *rest, i32 *scratch) {
    i32 *at = scratch, *found = at + width;
    const u8 *bytes = (const u8 *)found;
    /* the luma's rest in three rows: the one above, the present one and the one below */
    u16 *rests = (u16 *)(found + width), *restrict sum = rests + 3 * width + 1;
    u8 *wide = (u8 *)(sum + width + 1), *level = wide + 2 * width;
    for (i32 row = -1; row < height; row++) {
        i32 next = row + 1;
        if (next < height) {
            const u8 *first = y + 2 * next * y_stride;
            u8 *cb = u + next * u_stride, *cr = v + next * v_stride;
            u16 *restrict mine = rests + next % 3 * width;
            find_colours(first, first + y_stride, cb, cr, at, width);
            for (i32 x = 0; x < width; x++) found[x] = rest[at[x]];
            for (i32 x = 0; x < width; x++) mine[x] = bytes[4 * x];
            look_up(curves + 256, cb, level, width);
            add_rest(level, bytes + 1, cb, 4, width, 240);
            look_up(curves + 512, cr, level, width);
            add_rest(level, bytes + 2, cr, 4, width, 240);
        }
        for (i32 i = 0; row >= 0 && i < 2; i++) {
            const u16 *restrict near = rests + row % 3 * width;
            const u16 *restrict far = rests + clamped(row + 2 * i - 1, height - 1) % 3 * width;
            u8 *samples = y + (2 * row + i) * y_stride;
            for (i32 x = 0; x < width; x++) sum[x] = (u16)(3 * near[x] + far[x]);
            sum[-1] = sum[0], sum[width] = sum[width - 1];
            INDEPENDENT
            for (i32 x = 0; x < width; x++) {
                u16 most = (u16)(3 * sum[x] + 8);
                wide[2 * x] = (u8)((u16)(most + sum[x - 1]) >> 4);
                wide[2 * x + 1] = (u8)((u16)(most + sum[x + 1]) >> 4);
            }
            look_up(curves, samples, level, 2 * width);
            add_rest(level, wide, samples, 1, 2 * width, 235);
        }
    }
}

/* ---- gains ---------------------------------------------------------------------------------------------------- */

/* sample = gain / 255 * sample + lift */
EXPORT void vcam_shade(const u8 *gain, ptrdiff_t gain_stride, const u8 *lift, ptrdiff_t lift_stride, u8 *sample,
                       ptrdiff_t sample_stride, i32 width, i32 height) {
    for (i32 y = 0; y < height; y++) {
        INDEPENDENT
        for (i32 x = 0; x < width; x++) {
            u16 value = (u16)(by_255((u16)(gain[x] * sample[x])) + lift[x]);
            sample[x] = (u8)(value < 255 ? value : 255);
        }
        gain += gain_stride, lift += lift_stride, sample += sample_stride;
    }
}

/* luma = gain / 85 * (luma - 16) + 16, up to 235 */
EXPORT void vcam_lighten(const u8 *gain, ptrdiff_t gain_stride, u8 *luma, ptrdiff_t luma_stride, i32 width, i32 height) {
    for (i32 y = 0; y < height; y++) {
        INDEPENDENT
        for (i32 x = 0; x < width; x++) {
            u16 light = luma[x] > 16 ? (u16)(luma[x] - 16) : 0;
            u16 value = (u16)((u16)(gain[x] * light + 42) / 85 + 16);
            luma[x] = (u8)(value < 235 ? value : 235);
        }
        gain += gain_stride, luma += luma_stride;
    }
}
