/* vcam/compose/backgrounds/fromframe.py: a small plane, bilinear, at a whole multiple of its size, as cv2.INTER_LINEAR has it */

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

INLINE void magnify(const u8 *small, ptrdiff_t small_stride, u8 *full, ptrdiff_t full_stride, i32 width, i32 height,
                    const i32 factor, u16 *rows) {
    const i32 wide = factor * width, half = factor / 2;
    u16 *upper = rows, *lower = rows + wide;
    widen(small, lower, width, factor);
    for (i32 y = -1; y < height; y++) {
        u16 *spare = upper;
        upper = lower, lower = spare;
        widen(small + (y + 1 < height ? y + 1 : y) * small_stride, lower, width, factor);
        for (i32 i = y < 0 ? half : 0; i < (y == height - 1 ? half : factor); i++) {
            const u16 *restrict a = upper, *restrict b = lower;
            const u16 below = (u16)(2 * i + 1), above = (u16)(2 * factor - 2 * i - 1);
            u8 *restrict to = full + (y * factor + half + i) * full_stride;
            for (i32 x = 0; x < wide; x++) to[x] = (u8)((u16)(a[x] * above + b[x] * below + UNIT) >> 8);
        }
    }
}

/* factor: 2, 4, 8 or 16; full: (factor * height, factor * width). rows: room for 2 * factor * width samples */
EXPORT void vcam_magnify(const u8 *small, ptrdiff_t small_stride, u8 *full, ptrdiff_t full_stride, i32 width, i32 height,
                         i32 factor, u16 *rows) {
    if (factor == 2) magnify(small, small_stride, full, full_stride, width, height, 2, rows);
    if (factor == 4) magnify(small, small_stride, full, full_stride, width, height, 4, rows);
    if (factor == 8) magnify(small, small_stride, full, full_stride, width, height, 8, rows);
    if (factor == 16) magnify(small, small_stride, full, full_stride, width, height, 16, rows);
}
