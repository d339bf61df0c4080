/* vcam/compose/filters/: cube.py, edge.py, look.py and light.py */

#include "table.h"

/* ---- a table of colours --------------------------------------------------------------------------------------- */

/* In the table, `bits` of each plane, the places of one row of chroma; luma counts as the mean of its four. */
INLINE void find_colours(const u8 *restrict first, const u8 *restrict second, const u8 *restrict u, const u8 *restrict v,
                         i32 *restrict at, i32 width, i32 bits) {
    const i32 rest = 8 - bits;
    INDEPENDENT
    for (i32 x = 0; x < width; x++) {
        u16 four = (u16)(first[2 * x] + first[2 * x + 1] + second[2 * x] + second[2 * x + 1] + 2);
        at[x] = (four >> (2 + rest)) << (2 * bits) | (u[x] >> rest) << bits | v[x] >> rest;
    }
}

/* samples = level + rest - none, from `least` to `most` */
INLINE void add_rest(const u8 *restrict level, const u8 *restrict rest, u8 *restrict samples, i32 step, i32 width,
                     i16 none, i16 least, i16 most) {
    INDEPENDENT
    for (i32 x = 0; x < width; x++) {
        i16 value = (i16)(level[x] + rest[step * x] - none);
        value = value < least ? least : value;
        value = value < most ? value : most;
        samples[x] = (u8)value;
    }
}

/* How many numbers of four bytes vcam_lut needs. */
EXPORT ptrdiff_t vcam_lut_scratch(i32 width) { return 5 * (ptrdiff_t)width + 1; }

/* y: (2 * height, 2 * width), u and v: (height, width), all changed in place. curves: 256 samples for each plane;
   rest: for each colour, `bits` of each plane, the bytes of Y, Cb and Cr, and one more, `none` for nothing left over.
   luma, chroma: the least and the greatest sample */
EXPORT void vcam_lut(const Plane *y, const Plane *u, const Plane *v, const u8 *curves, const i32 *rest, i32 bits,
                     i32 none, i32 luma_least, i32 luma_most, i32 chroma_least, i32 chroma_most, i32 *scratch) {
    const i32 width = u->width, height = u->height;
    const i16 zero = (i16)none, low = (i16)chroma_least, high = (i16)chroma_most;
    i32 *at = scratch, *found = at + width;
    const u8 *bytes = (const u8 *)found;
    /* the luma's rest in three rows: the one above, the present one and the one below */
    u16 *rests = (u16 *)(found + width), *restrict sum = rests + 3 * width + 1;
    u8 *wide = (u8 *)(sum + width + 1), *level = wide + 2 * width;
    for (i32 row = -1; row < height; row++) {
        i32 next = row + 1;
        if (next < height) {
            u8 *cb = row_of(u, next), *cr = row_of(v, next);
            u16 *restrict mine = rests + next % 3 * width;
            find_colours(row_of(y, 2 * next), row_of(y, 2 * next + 1), cb, cr, at, width, bits);
            for (i32 x = 0; x < width; x++) found[x] = rest[at[x]];
            for (i32 x = 0; x < width; x++) mine[x] = bytes[4 * x];
            look_up(curves + 256, cb, level, width);
            add_rest(level, bytes + 1, cb, 4, width, zero, low, high);
            look_up(curves + 512, cr, level, width);
            add_rest(level, bytes + 2, cr, 4, width, zero, low, high);
        }
        for (i32 i = 0; row >= 0 && i < 2; i++) {
            const u16 *restrict near = rests + row % 3 * width;
            const u16 *restrict far = rests + clamped(row + 2 * i - 1, height - 1) % 3 * width;
            u8 *samples = row_of(y, 2 * row + i);
            for (i32 x = 0; x < width; x++) sum[x] = (u16)(3 * near[x] + far[x]);
            sum[-1] = sum[0], sum[width] = sum[width - 1];
            INDEPENDENT
            for (i32 x = 0; x < width; x++) {
                u16 most = (u16)(3 * sum[x] + 8);
                wide[2 * x] = (u8)((u16)(most + sum[x - 1]) >> 4);
                wide[2 * x + 1] = (u8)((u16)(most + sum[x + 1]) >> 4);
            }
            look_up(curves, samples, level, 2 * width);
            add_rest(level, wide, samples, 1, 2 * width, zero, (i16)luma_least, (i16)luma_most);
        }
    }
}

/* ---- gains ---------------------------------------------------------------------------------------------------- */

/* sample = gain / 255 * sample + lift */
EXPORT void vcam_shade(const Plane *gain, const Plane *lift, const Plane *sample) {
    const i32 width = sample->width, height = sample->height;
    for (i32 y = 0; y < height; y++) {
        const u8 *by = row_of(gain, y), *more = row_of(lift, y);
        u8 *to = row_of(sample, y);
        INDEPENDENT
        for (i32 x = 0; x < width; x++) {
            u16 value = (u16)(by_255((u16)(by[x] * to[x])) + more[x]);
            to[x] = (u8)(value < 255 ? value : 255);
        }
    }
}

/* What divides by 255 / most in 16 bits, as compilers do it for a constant: exact for three, nearly so for others. */
enum { PARTS = 1 << 22 };
EXPORT_ONE float vcam_max_gain(void) { return 65534.0f * 255.0f / (float)PARTS; }

/* luma = most * gain / 255 * (luma - black) + black, up to white; most: from 1 to vcam_max_gain */
EXPORT void vcam_lighten(const Plane *gain, const Plane *luma, float most, i32 black, i32 white) {
    const i32 width = luma->width, height = luma->height;
    const float parts = most * (float)PARTS / 255.0f;
    /* rounded up */
    const u16 factor = (u16)((i32)parts + ((float)(i32)parts < parts)), half = (u16)(127.5f / most);
    const u16 top = (u16)white;
    const u8 bottom = (u8)black;
    for (i32 y = 0; y < height; y++) {
        const u8 *by = row_of(gain, y);
        u8 *to = row_of(luma, y);
        INDEPENDENT
        for (i32 x = 0; x < width; x++) {
            u8 light = to[x] > bottom ? (u8)(to[x] - bottom) : 0;
            u16 value = (u16)(by[x] * light + half);
            value = (u16)(((u16)(((uint32_t)value * factor) >> 16) >> 6) + bottom);
            value = value < top ? value : top;
            to[x] = (u8)value;
        }
    }
}
