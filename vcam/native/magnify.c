/* vcam/scaling.py: a small plane, bilinear, at a whole multiple of its size, as cv2.INTER_LINEAR has it */

#include "common.h"

/* A place between two samples is counted in 2 * factor parts, and a row is kept at 128 / factor times its samples: then a
   sum of two products is 256 times the sample, which is just what 16 bits hold. */
enum { UNIT = 128 };

/* factor places between each two samples, from the middle of one to the middle of the next, and half as many at each end */
INLINE void widen(const u8 *restrict small, u16 *restrict wide, i32 width, const i32 factor) {
    /* sixteen times is a quarter too fine for whole numbers */
    const i32 shift = factor > 8 ? 2 : 0, scale = (UNIT << shift) / factor, step = scale / (2 * factor), half = factor / 2;
    for (i32 i = 0; i < half; i++) {
        wide[i] = (u16)(small[0] * UNIT / factor);
        wide[width * factor - 1 - i] = (u16)(small[width - 1] * UNIT / factor);
    }
    wide += half;
    for (i32 x = 0; x < width - 1; x++) {
        const i32 from = small[x] * scale + shift, part = (small[x + 1] - small[x]) * step;
        for (i32 i = 0; i < factor; i++) wide[x * factor + i] = (u16)((from + (2 * i + 1) * part) >> shift);
    }
}

INLINE void magnify(const Plane *small, const Plane *full, const i32 factor, u16 *rows) {
    const i32 width = small->width, height = small->height, wide = factor * width, half = factor / 2;
    u16 *upper = rows, *lower = rows + wide;
    widen(small->at, lower, width, factor);
    for (i32 y = -1; y < height; y++) {
        u16 *spare = upper;
        upper = lower, lower = spare;
        widen(row_of(small, y + 1 < height ? y + 1 : y), lower, width, factor);
        for (i32 i = y < 0 ? half : 0; i < (y == height - 1 ? half : factor); i++) {
            const u16 *restrict a = upper, *restrict b = lower;
            const u16 below = (u16)(2 * i + 1), above = (u16)(2 * factor - 2 * i - 1);
            u8 *restrict to = row_of(full, y * factor + half + i);
            for (i32 x = 0; x < wide; x++) to[x] = (u8)((u16)(a[x] * above + b[x] * below + UNIT) >> 8);
        }
    }
}

/* How many times a plane can be enlarged: each has a loop of its own. */
#define FACTORS(each) each(2) each(4) each(8) each(16)

/* The first of them, the second and so on, then 0. */
EXPORT_ONE i32 vcam_magnified(i32 which) {
#define NUMBER(factor) factor,
    static const i32 factors[] = {FACTORS(NUMBER) 0};
    return factors[which];
}

/* How many numbers of four bytes vcam_magnify needs. */
EXPORT_ONE ptrdiff_t vcam_magnify_scratch(i32 width, i32 factor) { return (ptrdiff_t)factor * width; }

/* full: `factor` times as high and wide; rows: two of it */
EXPORT void vcam_magnify(const Plane *small, const Plane *full, i32 factor, u16 *rows) {
#define BY(number) \
    if (factor == number) magnify(small, full, number, rows);
    FACTORS(BY)
}
