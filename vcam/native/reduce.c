/* vcam/scaling.py: planes halved step by step, and what is left of the way linear, as cv2.INTER_LINEAR has it */

#include "common.h"

/* Two samples side by side, from anywhere; they are only ever added, so either may be the upper byte. */
typedef u16 __attribute__((aligned(1), may_alias)) Pair;

INLINE u16 both(Pair pair) { return (u16)((pair & 255) + (pair >> 8)); }

/* a row from two of twice the width, or of the same, or from one of twice the width; halves are rounded up */
INLINE void halve(const u8 *upper, const u8 *lower, u8 *restrict to, i32 width, i32 across) {
    const Pair *restrict above = (const Pair *)upper, *restrict below = (const Pair *)lower;
    if (!across) {
        INDEPENDENT
        for (i32 x = 0; x < width; x++) to[x] = (u8)((upper[x] + lower[x] + 1) >> 1);
    } else if (upper == lower) {
        INDEPENDENT
        for (i32 x = 0; x < width; x++) to[x] = (u8)((u16)(both(above[x]) + 1) >> 1);
    } else {
        INDEPENDENT
        for (i32 x = 0; x < width; x++) to[x] = (u8)((u16)(both(above[x]) + both(below[x]) + 2) >> 2);
    }
}

/* Rows ahead of the one in hand that are asked for: between two frames all of this has left the caches. */
enum { TO_READ = 16, TO_WRITE = 8 };

INLINE void ask_for(const Plane *plane, i32 y) {
    const u8 *row = row_of(plane, clamped(y, plane->height - 1));
    for (i32 x = 0; x < plane->width; x += LINE) __builtin_prefetch(row + x);
}

/* rows of the last of `count` steps, and those of the others that they are made of */
INLINE void make_rows(const Plane *source, i32 count, i32 first, i32 last) {
    i32 times = source->height / source[count].height;
    for (i32 i = 0; i < count; i++) {
        const Plane *from = source + i, *to = from + 1;
        const i32 down = to->height < from->height, across = to->width < from->width;
        times >>= down;
        for (i32 y = first * times; y < last * times; y++) {
            const u8 *upper = row_of(from, y << down);
            ask_for(to, y + TO_WRITE);
            for (i32 j = 0; !i && j <= down; j++) ask_for(from, (y << down) + j + TO_READ);
            halve(upper, upper + down * from->stride, row_of(to, y), to->width, across);
        }
    }
}

/* One plane: the steps stand behind it in the table. The rows of a step are made while those that they are made of are
   still close. */
INLINE void reduce(const Plane *source, i32 steps, i32 *restrict at, i32 *restrict share, u16 *restrict row) {
    enum { ONE = 1 << 14 };
    const Plane *last = source + steps - 1, *target = last + 1;
    const i32 width = target->width, wide = last->width;
    float part;
    for (i32 x = 0; x < width; x++) {
        at[x] = place(x, width, wide, &part);
        share[x] = (i32)(ONE * part + 0.5f);
        /* a side of one sample */
        at[x] = at[x] < 0 ? 0 : at[x];
    }
    for (i32 y = 0, ready = 0; y < target->height; y++) {
        const i32 first = place(y, target->height, last->height, &part);
        const i32 wanted = y < target->height - 1 ? first + 2 : last->height;
        make_rows(source, steps - 1, ready, wanted);
        ready = wanted;
        const u8 *restrict upper = row_of(last, clamped(first, last->height));
        const u8 *restrict lower = row_of(last, first + 1);
        const u16 below = (u16)(256.0f * part + 0.5f), above = 256 - below;
        INDEPENDENT
        for (i32 x = 0; x < wide; x++) row[x] = (u16)((u16)(upper[x] * above) + (u16)(lower[x] * below));
        row[wide] = row[wide - 1];
        ask_for(target, y + TO_WRITE);
        u8 *restrict to = row_of(target, y);
        for (i32 x = 0; x < width; x++) {
            i32 left = row[at[x]], right = row[at[x] + 1];
            to[x] = (u8)((left * ONE + (right - left) * share[x] + (ONE << 7)) >> 22);
        }
    }
}

/* How many numbers of four bytes vcam_reduce needs, for the widest plane of all. */
EXPORT_ONE ptrdiff_t vcam_reduce_scratch(i32 width) { return 3 * (ptrdiff_t)width + 1; }

/* planes: of each of the `count` sources itself and as many steps as `steps` has for it, in turn; each step but the last
   half as high or as wide as the plane before it, or both, the last of any size */
EXPORT void vcam_reduce(const Plane *planes, const i32 *steps, i32 count, i32 width, i32 *scratch) {
    for (i32 i = 0; i < count; i++) {
        reduce(planes, steps[i], scratch, scratch + width, (u16 *)(scratch + 2 * width));
        planes += steps[i] + 1;
    }
}
