/* vcam/compose/filters/relight.py */

#include <string.h>

#include "blend.h"
#include "table.h"

/* The factor of a blend that leaves samples as they are. */
enum { WHOLE = 1 << 14 };

/* Luma that is looked at together for a matte that is 0. */
enum { BLOCK = 64 };

/* Where the matte of two rows is not 0, in whole blocks; nowhere if `from` is `to`. */
INLINE void find_person(const u8 *first, const u8 *second, i32 width, i32 *from, i32 *to) {
    static const u8 nobody[BLOCK];
    i32 low = width, high = 0;
    for (i32 x = 0; x < width; x += BLOCK) {
        size_t count = (size_t)(width - x < BLOCK ? width - x : BLOCK);
        if (!memcmp(first + x, nobody, count) && !memcmp(second + x, nobody, count)) continue;
        low = low < x ? low : x, high = x + (i32)count;
    }
    *from = low < high ? low : 0, *to = high;
}

/* All of a row but what lies between. */
INLINE void copy_around(const u8 *source, u8 *target, i32 width, i32 from, i32 to) {
    memcpy(target, source, (size_t)from), memcpy(target + to, source + to, (size_t)(width - to));
}

/* What a sample of chroma becomes, in parts of 32: factor of 2^14, share of 2^15, of the sum of four. */
INLINE u8 shifted(u8 sample, i16 light, i16 factor, i16 share, i16 offset, i16 least, i16 most) {
    i16 colour = (i16)((sample - 128) * 64);
    i16 gained = (i16)(((((i32)colour * factor) >> 14) + 1) >> 1);
    i16 lit = (i16)(((((i32)light * share) >> 14) + 1) >> 1);
    i16 value = (i16)((i16)(gained + lit + offset) >> 5);
    value = value < least ? least : value;
    return (u8)(value < most ? value : most);
}

/* One row of both planes of chroma; luma counts as the mean of its four, each from `dark` to `bright`. */
INLINE void shift_colours(const u8 *restrict first, const u8 *restrict second, const u8 *u, const u8 *v, u8 *to_u,
                          u8 *to_v, i32 width, const i16 *terms, u8 dark, u8 bright, i16 least, i16 most) {
    const i16 factor = terms[0], share_u = terms[1], share_v = terms[2], offset_u = terms[3], offset_v = terms[4];
    INDEPENDENT
    for (i32 x = 0; x < width; x++) {
        u8 a = first[2 * x], b = first[2 * x + 1], c = second[2 * x], d = second[2 * x + 1];
        a = a < dark ? dark : a, b = b < dark ? dark : b, c = c < dark ? dark : c, d = d < dark ? dark : d;
        a = a < bright ? a : bright, b = b < bright ? b : bright, c = c < bright ? c : bright;
        d = d < bright ? d : bright;
        i16 light = (i16)((a + b + c + d) * 8);
        to_u[x] = shifted(u[x], light, factor, share_u, offset_u, least, most);
        to_v[x] = shifted(v[x], light, factor, share_v, offset_v, least, most);
    }
}

/* How many numbers of four bytes vcam_relight needs. */
EXPORT_ONE ptrdiff_t vcam_relight_scratch(i32 width) { return (6 * (ptrdiff_t)width + 3) / 4; }

/* y, matte: (2 * height, 2 * width), u and v: (height, width); to: the same three, which may be these. curve: 256
   samples of luma; terms: of chroma, see `shifted`, the factor, two shares, two offsets. What has no matte in two rows
   is copied where a copy is right, or done like the rest. behind: the matte of chroma and three planes to blend with,
   which may be `to`, or none. */
EXPORT void vcam_relight(const Plane *y, const Plane *u, const Plane *v, const Plane *matte, const Plane *to_y,
                         const Plane *to_u, const Plane *to_v, const u8 *curve, const i16 *terms, i32 dark, i32 bright,
                         i32 least, i32 most, i32 copied, const Plane *behind, u8 *scratch) {
    const i32 width = u->width, height = u->height, wide = 2 * width;
    for (i32 row = 0; row < height; row++) {
        const u8 *first = row_of(y, 2 * row), *second = row_of(y, 2 * row + 1);
        const u8 *cb = row_of(u, row), *cr = row_of(v, row);
        const u8 *upper_matte = row_of(matte, 2 * row), *lower_matte = row_of(matte, 2 * row + 1);
        u8 *upper = behind ? scratch : row_of(to_y, 2 * row), *lower = behind ? upper + wide : row_of(to_y, 2 * row + 1);
        u8 *blue = behind ? lower + wide : row_of(to_u, row), *red = behind ? blue + width : row_of(to_v, row);
        i32 from = 0, to = wide;
        if (copied) {
            find_person(upper_matte, lower_matte, wide, &from, &to);
            if (first != upper) {
                copy_around(first, upper, wide, from, to), copy_around(second, lower, wide, from, to);
                copy_around(cb, blue, width, from / 2, to / 2), copy_around(cr, red, width, from / 2, to / 2);
            }
        }
        const i32 start = from / 2, count = (to - from) / 2;
        if (count) {
            /* before the luma, which may be changed in place */
            shift_colours(first + from, second + from, cb + start, cr + start, blue + start, red + start, count, terms,
                          (u8)dark, (u8)bright, (i16)least, (i16)most);
            look_up(curve, first + from, upper + from, to - from);
            look_up(curve, second + from, lower + from, to - from);
        }
        if (!behind) continue;
        const u8 *half = row_of(behind, row);
        blend_row(upper_matte, upper, row_of(behind + 1, 2 * row), row_of(to_y, 2 * row), wide, WHOLE, 0);
        blend_row(lower_matte, lower, row_of(behind + 1, 2 * row + 1), row_of(to_y, 2 * row + 1), wide, WHOLE, 0);
        blend_row(half, blue, row_of(behind + 2, row), row_of(to_u, row), width, WHOLE, 0);
        blend_row(half, red, row_of(behind + 3, row), row_of(to_v, row), width, WHOLE, 0);
    }
}
