/* vcam/matte/average.py */

#include <string.h>

#include "common.h"

/* How much a row of the map has changed: the greatest of each pixel's three by three. most: of two columns more */
INLINE void changes(const Plane *seen, const Plane *before, i32 row, i32 *restrict most, i32 *restrict change) {
    const i32 columns = seen->width, rows = seen->height;
    for (i32 i = -1; i <= 1; i++) {
        const u8 *restrict a = row_of(seen, clamped(row + i, rows - 1));
        const u8 *restrict b = row_of(before, clamped(row + i, rows - 1));
        INDEPENDENT
        for (i32 x = 0; x < columns; x++) {
            i32 size = a[x] < b[x] ? b[x] - a[x] : a[x] - b[x];
            most[x + 1] = i >= 0 && most[x + 1] > size ? most[x + 1] : size;
        }
    }
    most[0] = most[1], most[columns + 1] = most[columns];
    INDEPENDENT
    for (i32 x = 0; x < columns; x++) {
        i32 larger = most[x] > most[x + 2] ? most[x] : most[x + 2];
        change[x] = larger > most[x + 1] ? larger : most[x + 1];
    }
}

/* The gains of a row of the map, and of those blocks of a row of the matte that have been asked for. */
typedef struct {
    i32 *small;
    u16 *wide;
    u8 *done;
} Gains;

enum { BLOCK = 64 };

INLINE const u16 *gains_of(const Gains *gains, i32 block, const i32 *restrict at, const i32 *restrict share,
                           i32 width) {
    const i32 *restrict small = gains->small;
    const i32 start = block * BLOCK, end = start + BLOCK < width ? start + BLOCK : width;
    u16 *restrict wide = gains->wide;
    if (!gains->done[block]) {
        INDEPENDENT
        for (i32 x = start; x < end; x++) {
            i32 left = small[at[x]];
            wide[x] = (u16)(left + ((share[x] * (small[at[x] + 1] - left) + 128) >> 8));
        }
        gains->done[block] = 1;
    }
    return wide + start;
}

/* part: in 128 parts, how far between the two */
INLINE void step_towards(u8 *restrict matte, u8 *restrict kept, const u16 *restrict upper, const u16 *restrict lower,
                         u16 part, i32 count) {
    const u16 rest = 128 - part;
    INDEPENDENT
    for (i32 x = 0; x < count; x++) {
        u16 to = matte[x], from = kept[x], down = to < from ? 0xffff : 0;
        u16 gain = (u16)((u16)(upper[x] * rest) + (u16)(lower[x] * part) + 64) >> 7;
        u16 way = (u16)((to - from) ^ down) - down;
        u16 step = (u16)((u16)(way * gain) + 255) >> 8;
        u8 next = (u8)(from + (step ^ down) - down);
        matte[x] = next, kept[x] = next;
    }
}

/* How many numbers of four bytes vcam_steady needs. */
EXPORT ptrdiff_t vcam_steady_scratch(i32 columns, i32 width) {
    return 3 * (ptrdiff_t)columns + 2 + 3 * (ptrdiff_t)width + 2 + width / (2 * BLOCK);
}

/* kept, matte: of one size, towards the matte by the gain: `least` up to a change of `calm`, 1 from `moved` on; seen,
   before: of another, two rows and two columns at least. Most blocks are the same already. */
EXPORT void vcam_steady(const Plane *matte, const Plane *kept, const Plane *seen, const Plane *before, float least,
                        i32 calm, i32 moved, i32 *scratch) {
    const i32 columns = seen->width, rows = seen->height, width = matte->width, height = matte->height;
    const i32 blocks = (width + BLOCK - 1) / BLOCK;
    i32 *most = scratch, *small = most + columns + 2, *at = small + 2 * columns, *share = at + width, have = -2;
    u16 *wide = (u16 *)(share + width);
    u8 *done = (u8 *)(wide + 2 * width);
    Gains upper = {small, wide, done}, lower = {small + columns, wide + width, done + blocks};
    /* gains are counted in parts of 256 */
    const i32 lowest = (i32)(256.0f * least + 0.5f);
    const float slope = (float)(256 - lowest) / (float)(moved - calm);
    float part;
    for (i32 x = 0; x < width; x++) {
        at[x] = place(x, width, columns, &part);
        share[x] = (i32)(256.0f * part + 0.5f);
    }
    for (i32 y = 0; y < height; y++) {
        i32 first = place(y, height, rows, &part);
        while (have < first + 1) {
            Gains spare = upper;
            upper = lower, lower = spare, have = have < first ? first : first + 1;
            changes(seen, before, have, most, lower.small);
            INDEPENDENT
            for (i32 x = 0; x < columns; x++) {
                float beyond = within((float)(lower.small[x] - calm), (float)(moved - calm));
                lower.small[x] = lowest + (i32)(slope * beyond + 0.5f);
            }
            for (i32 block = 0; block < blocks; block++) lower.done[block] = 0;
        }
        u8 *m = row_of(matte, y), *k = row_of(kept, y);
        for (i32 block = 0; block < blocks; block++, m += BLOCK, k += BLOCK) {
            i32 count = width - block * BLOCK < BLOCK ? width - block * BLOCK : BLOCK;
            if (!memcmp(m, k, (size_t)count)) continue;
            const u16 *above = gains_of(&upper, block, at, share, width);
            const u16 *below = gains_of(&lower, block, at, share, width);
            step_towards(m, k, above, below, (u16)(128.0f * part + 0.5f), count);
        }
    }
}
