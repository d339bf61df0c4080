/* vcam/compose/filters/rim.py: what the person's edge would show without the old background */

#include "blend.h"

#include <string.h>

/* two samples side by side, from anywhere */
typedef u16 __attribute__((aligned(1), may_alias)) Pair;

/* a short loop of fixed length: taken apart before it is made of vectors, it would be made of none */
#ifdef __clang__
#define WHOLE INDEPENDENT
#else
#define WHOLE INDEPENDENT _Pragma("GCC unroll 1")
#endif

/* ACROSS: cells of a block, the least that is looked at; REACH: cells that are gathered on each side; AROUND: cells round
   a block of which samples are needed, since what is spread over it takes the cells beside it, too; PAD: of a row on each
   side. MADE and WINDOW: whole vectors, of which what is too much is dropped */
enum { ACROSS = 4, REACH = 2, AROUND = REACH + 1, PAD = 16, MADE = 8, WINDOW = 16 };

/* Bytes for each cell, one plane behind the other, with PAD cells left and right and REACH rows above and below: the mean
   alpha, what the person and the room weigh, all 0 outside of the frame; then Y, Cb and Cr. */
typedef struct {
    u8 *share, *person, *room, *samples[3];
    ptrdiff_t pitch;
    i32 across, down, blocks;
} Cells;

INLINE i32 blocks_of(i32 across) { return (across + ACROSS - 1) / ACROSS; }

INLINE ptrdiff_t pitch_of(i32 across) { return (ptrdiff_t)blocks_of(across) * ACROSS + 2 * PAD; }

/* How many numbers of four bytes vcam_rim_goal needs, for so many cells. */
EXPORT_ONE ptrdiff_t vcam_rim_scratch(i32 across, i32 down) {
    return (6 * pitch_of(across) * (down + 2 * REACH) + 2 * (ptrdiff_t)(blocks_of(across) + 2) * (down + 2) +
            16 * pitch_of(across)) / 4 + 1;
}

/* Two sums side by side; they are only ever added, so either may be the upper half. */
typedef uint32_t __attribute__((may_alias)) Sums;

/* of two, how many times a cell has been doubled: of the number of its pixels */
INLINE i32 shift_of(i32 side) { return side == 1 ? 0 : side == 2 ? 2 : side == 4 ? 4 : 6; }

/* of large cells every other row tells enough, and what is not looked at is not fetched */
INLINE i32 step_of(i32 side) { return side < 4 ? 1 : 2; }

/* the means of cells, of 2^shift pixels, from the sums of their columns, of which `each` are left and which are
   overwritten */
INLINE void fold(u16 *sum, i32 shift, i32 each, i32 count, u8 *restrict out) {
    const i32 half = 1 << shift >> 1;
    for (; each > 1; each /= 2) {
        const Sums *pairs = (const Sums *)sum;
        WHOLE
        for (i32 x = 0; x < count * each / 2; x++) sum[x] = (u16)((pairs[x] & 65535) + (pairs[x] >> 16));
    }
    WHOLE
    for (i32 x = 0; x < count; x++) out[x] = (u8)((u16)(sum[x] + half) >> shift);
}

/* the mean alpha of the cells of a row, and which of its blocks hold any that is neither 0 nor 255; the box is in pixels
   of chroma; sum, between: for as many pixels as the blocks have */
INLINE void weigh(const Plane *half, const i32 *box, i32 side, i32 row, const Cells *cells, u8 *marks, u8 *near,
                  u16 *restrict sum, u8 *restrict between) {
    const i32 wide = side * ACROSS, all = cells->blocks * wide;
    memset(sum, 0, sizeof(u16) * (size_t)all);
    memset(between, 0, (size_t)all);
    for (i32 i = 0; i < side; i++) {
        const i32 y = row * side + i;
        if (y < box[1] || y >= box[3]) continue;
        const u8 *samples = row_of(half, y);
        INDEPENDENT
        for (i32 x = box[0]; x < box[2]; x++) {
            sum[x] += samples[x];
            between[x] |= (u8)((u8)(samples[x] - 1) < 254);
        }
    }
    for (i32 block = 0; block < cells->blocks; block++) {
        /* in either half, which is wide enough to hold all that the next block has to know of */
        const Pair *first = (const Pair *)(between + block * wide), *second = first + wide / 4;
        u16 left = 0, right = 0;
        for (i32 x = 0; x < wide / 4; x++) left |= first[x], right |= second[x];
        marks[block] = (left | right) != 0;
        near[block] |= marks[block];
        if (left && block) near[block - 1] = 1;
        if (right && block < cells->blocks - 1) near[block + 1] = 1;
    }
    fold(sum, shift_of(side), side, cells->across, cells->share + row * cells->pitch);
}

/* the means of up to ACROSS cells of one row; beyond the frame the last samples count */
INLINE void reduce_cells(const Plane *plane, i32 side, i32 row, i32 first, i32 count, u8 *out) {
    u16 sum[ACROSS * 8] __attribute__((aligned(4)));
    const i32 left = first * side, last = plane->height - 1, step = step_of(side), shift = shift_of(side) - (step > 1);
    if (left + ACROSS * side <= plane->width && (row + 1) * side <= plane->height) {
        const u8 *samples = row_of(plane, row * side) + left;
        for (i32 i = 0; i < side; i += step) __builtin_prefetch(samples + (side + i) * plane->stride);
        if (side == 1) {
            memcpy(out, samples, ACROSS);
            return;
        }
        WHOLE
        for (i32 x = 0; x < ACROSS * side / 2; x++) {
            u16 all = 0;
            for (i32 i = 0; i < side; i += step) {
                const u16 pair = ((const Pair *)(samples + i * plane->stride))[x];
                all += (u16)((pair & 255) + (pair >> 8));
            }
            sum[x] = all;
        }
        fold(sum, shift, side / 2, ACROSS, out);
        return;
    }
    for (i32 x = 0; x < count * side; x++) {
        sum[x] = 0;
        for (i32 i = 0; i < side; i += step)
            sum[x] += row_of(plane, clamped(row * side + i, last))[clamped(left + x, plane->width - 1)];
    }
    fold(sum, shift, side, count, out);
}

/* What the goals of one block are made of, and where they go. */
typedef struct {
    float most, trace, low, high[3];
    const Plane *goals;
} Goal;

/* Sums over the rows that are gathered, for the columns of a block and those beside it. */
typedef struct {
    float person[WINDOW], room[WINDOW], mine[3][WINDOW], theirs[3][WINDOW];
} Columns;

INLINE void add_row(const Cells *cells, i32 row, i32 start, Columns *to) {
    const ptrdiff_t at = row * cells->pitch + start - REACH;
    const u8 *a = cells->person + at, *in = cells->room + at;
    WHOLE
    for (i32 x = 0; x < WINDOW; x++) to->person[x] += (float)a[x], to->room[x] += (float)in[x];
    for (i32 p = 0; p < 3; p++) {
        const u8 *samples = cells->samples[p] + at;
        WHOLE
        for (i32 x = 0; x < WINDOW; x++) {
            to->mine[p][x] += (float)(samples[x] * a[x]);
            to->theirs[p][x] += (float)(samples[x] * in[x]);
        }
    }
}

/* the sums of a row from those of the one above it; they are whole numbers, and exact */
INLINE void next_row(const Cells *cells, i32 row, i32 start, const Columns *from, Columns *restrict to) {
    const ptrdiff_t gone = (row - AROUND) * cells->pitch + start - REACH, come = gone + (AROUND + REACH) * cells->pitch;
    const u8 *a = cells->person + gone, *b = cells->person + come, *in = cells->room + gone, *room = cells->room + come;
    WHOLE
    for (i32 x = 0; x < WINDOW; x++) {
        to->person[x] = from->person[x] + (float)(b[x] - a[x]);
        to->room[x] = from->room[x] + (float)(room[x] - in[x]);
    }
    for (i32 p = 0; p < 3; p++) {
        const u8 *old = cells->samples[p] + gone, *new = cells->samples[p] + come;
        WHOLE
        for (i32 x = 0; x < WINDOW; x++) {
            to->mine[p][x] = from->mine[p][x] + (float)(new[x] * b[x] - old[x] * a[x]);
            to->theirs[p][x] = from->theirs[p][x] + (float)(new[x] * room[x] - old[x] * in[x]);
        }
    }
}

INLINE float across_of(const float *sum) { return sum[0] + sum[1] + sum[2] + sum[3] + sum[4]; }

/* the goals of one block of a row, and of a cell on either side; see the formula in rim.py */
INLINE void aim(const Cells *cells, const Goal *goal, i32 row, i32 start, const Columns *sums) {
    float inside[MADE], outside[MADE];
    const float most = goal->most, low = goal->low, trace = goal->trace;
    WHOLE
    for (i32 x = 0; x < MADE; x++) {
        inside[x] = 1.0f / (across_of(sums->person + x) + trace);
        outside[x] = 1.0f / (across_of(sums->room + x) + trace);
    }
    const i32 first = start < 0 ? 0 : start;
    const i32 last = start + ACROSS + 2 > cells->across ? cells->across : start + ACROSS + 2;
    const u8 *share = cells->share + row * cells->pitch + start;
    for (i32 p = 0; p < 3; p++) {
        const u8 *own = cells->samples[p] + row * cells->pitch + start;
        const float *m = sums->mine[p], *t = sums->theirs[p], high = goal->high[p];
        float front[MADE], back[MADE];
        u8 made[MADE];
        WHOLE
        for (i32 x = 0; x < MADE; x++) {
            const float here = trace * (float)own[x];
            front[x] = (across_of(m + x) + here) * inside[x];
            back[x] = (across_of(t + x) + here) * outside[x];
        }
        WHOLE
        for (i32 x = 0; x < MADE; x++) {
            float apart = front[x] - back[x];
            apart = apart < most ? apart > -most ? apart : -most : most;
            float value = front[x] + apart * (float)share[x] * (1.0f / 255.0f);
            value = value > low ? value < high ? value : high : low;
            made[x] = (u8)(i32)(value + 0.5f);
        }
        memcpy(row_of(goal->goals + p, row) + first, made + first - start, (size_t)(last - first));
    }
}

/* whether a block is marked, or one up to `rows` rows above or below it */
INLINE u8 near_mark(const u8 *marks, i32 blocks, i32 down, i32 row, i32 block, i32 rows) {
    u8 found = 0;
    const i32 from = clamped(row - rows, down - 1), to = clamped(row + rows, down - 1);
    for (i32 y = from; y <= to; y++) found |= marks[y * blocks + block];
    return found;
}

INLINE void make_goals(const Plane *planes, const Plane *half, const i32 *box, i32 side, const Goal *goal, u8 *marks,
                       u8 *scratch) {
    const i32 across = goal->goals->width, down = goal->goals->height, blocks = blocks_of(across);
    Cells cells = {.pitch = pitch_of(across), .across = across, .down = down, .blocks = blocks};
    const ptrdiff_t size = cells.pitch * (down + 2 * REACH), start = REACH * cells.pitch + PAD;
    memset(scratch, 0, (size_t)(6 * size));
    cells.share = scratch + start, cells.person = cells.share + size, cells.room = cells.person + size;
    for (i32 p = 0; p < 3; p++) cells.samples[p] = cells.room + (p + 1) * size;
    u8 *wide = scratch + 6 * size;
    u16 *sum = (u16 *)(wide + ((blocks * down + 3) & ~3));
    /* begins where a sum does */
    u8 *between = (u8 *)(sum + blocks * ACROSS * side);
    memset(marks, 0, (size_t)(blocks * down));
    memset(wide, 0, (size_t)(blocks * down));
    const i32 top = box[1] / side, bottom = (box[3] + side - 1) / side;
    for (i32 row = top; row < bottom; row++)
        weigh(half, box, side, row, &cells, marks + row * blocks, wide + row * blocks, sum, between);
    const i32 first = clamped(top - AROUND, down), last = clamped(bottom + AROUND, down);
    for (i32 row = first; row < last; row++)
        for (i32 b = 0; b < blocks; b++) {
            if (!near_mark(wide, blocks, down, row, b, AROUND)) continue;
            const i32 at = b * ACROSS, count = across - at < ACROSS ? across - at : ACROSS;
            const ptrdiff_t to = row * cells.pitch + at;
            for (i32 p = 0; p < 3; p++)
                reduce_cells(planes + p, p ? side : 2 * side, row, at, count, cells.samples[p] + to);
            for (i32 x = 0; x < count; x++) {
                const u16 share = cells.share[to + x], rest = (u16)(255 - share);
                cells.person[to + x] = by_255((u16)(share * share));
                cells.room[to + x] = by_255((u16)(rest * rest));
            }
        }
    for (i32 b = 0; b < blocks; b++) {
        /* a row's sums are read one row later: what was written just now cannot be read at other places yet */
        Columns sums[2];
        i32 waiting = -1, now = 0;
        const i32 start = b * ACROSS - 1;
        for (i32 row = clamped(top - 1, down); row < clamped(bottom + 1, down); row++) {
            const i32 wanted = near_mark(marks, blocks, down, row, b, 1), before = waiting;
            waiting = wanted ? row : -1;
            if (wanted && before >= 0) {
                next_row(&cells, row, start, &sums[now], &sums[1 - now]);
            } else if (wanted) {
                memset(&sums[1 - now], 0, sizeof sums[0]);
                for (i32 i = -REACH; i <= REACH; i++) add_row(&cells, row + i, start, &sums[1 - now]);
            }
            if (before >= 0) aim(&cells, goal, before, start, &sums[now]);
            now = 1 - now;
        }
        if (waiting >= 0) aim(&cells, goal, waiting, start, &sums[now]);
    }
}

/* How many cells of a row the smallest part is wide that vcam_rim_goal marks. */
EXPORT_ONE i32 vcam_rim_block(void) { return ACROSS; }

/* planes: the frame's Y, Cb and Cr; half: its matte for chroma; box: x0, y0, x1, y1, of chroma, in which the matte counts;
   side: pixels of chroma that a cell is wide and high, 1, 2 or 4; goals: three planes
   of cells, written near what is marked; marks: a byte for each block of each row, all written;
   high: the highest samples */
EXPORT void vcam_rim_goal(const Plane *planes, const Plane *half, const i32 *box, i32 side,
                          const Plane *goals, u8 *marks, float most, float trace, i32 low, const i32 *high, u8 *scratch) {
    const Goal goal = {most, trace, (float)low, {(float)high[0], (float)high[1], (float)high[2]}, goals};
    if (side == 1) make_goals(planes, half, box, 1, &goal, marks, scratch);
    if (side == 2) make_goals(planes, half, box, 2, &goal, marks, scratch);
    if (side == 4) make_goals(planes, half, box, 4, &goal, marks, scratch);
}

/* ---- what is made of it -------------------------------------------------------------------------------------- */

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define NTH(i, bytes) (8 * (i))
#else
#define NTH(i, bytes) (8 * ((bytes) - 1 - (i)))
#endif

/* One row of goals, bilinear, `side` places for each of the cells of a block. The places of a cell are put together in one
   number, which takes a fifth of the time of a store for each. */
INLINE void spread(const Plane *goal, i32 row, i32 place, i32 side, i32 first, uint32_t *to) {
    const i32 off = 2 * place + 1 - side, other = clamped(row + (off < 0 ? -1 : 1), goal->height - 1);
    const i32 second = off < 0 ? -off : off, unit = 2 * side, shift = side == 1 ? 2 : side == 2 ? 4 : side == 4 ? 6 : 8;
    const i32 group = side < 4 ? side : 4, around = 1 << shift >> 1;
    const u8 *a = row_of(goal, row), *b = row_of(goal, other);
    const u16 below = (u16)second, above = (u16)(unit - second);
    u8 ends[2][WINDOW];
    a += first, b += first;
    if (first == 0 || first + ACROSS >= goal->width) {
        for (i32 x = -1; x <= ACROSS; x++) {
            const i32 at = clamped(first + x, goal->width - 1) - first;
            ends[0][x + 1] = a[at], ends[1][x + 1] = b[at];
        }
        a = ends[0] + 1, b = ends[1] + 1;
    }
    for (i32 part = 0; part < side / group; part++) {
        u16 values[4][ACROSS];
        for (i32 i = 0; i < group; i++) {
            const i32 by = 2 * (part * group + i) + 1 - side, more = by < 0 ? -1 : 1;
            const u16 share = (u16)(by < 0 ? -by : by), rest = (u16)(unit - share);
            WHOLE
            for (i32 x = 0; x < ACROSS; x++) {
                const u16 here = (u16)(a[x] * above + b[x] * below), beside = (u16)(a[x + more] * above + b[x + more] * below);
                values[i][x] = (u16)((u16)(here * rest + beside * share + around) >> shift);
            }
        }
        if (group == 1)
            for (i32 x = 0; x < ACROSS; x++) ((u8 *)to)[x] = (u8)values[0][x];
        if (group == 2) {
            WHOLE
            for (i32 x = 0; x < ACROSS; x++) ((Pair *)to)[x] = (u16)(values[0][x] << NTH(0, 2) | values[1][x] << NTH(1, 2));
        }
        if (group == 4) {
            WHOLE
            for (i32 x = 0; x < ACROSS; x++)
                to[x * (side / 4) + part] = (uint32_t)values[0][x] << NTH(0, 4) | (uint32_t)values[1][x] << NTH(1, 4) |
                                            (uint32_t)values[2][x] << NTH(2, 4) | (uint32_t)values[3][x] << NTH(3, 4);
        }
    }
}

/* the upper half of a product, rounded, as processors have it */
INLINE i16 times(i16 a, i16 b) { return (i16)(((((i32)a * b) >> 14) + 1) >> 1); }

/* some samples of a row; factor: of 2^15 */
INLINE void move_samples(const u8 *m, const u8 *s, const u8 *g, u8 *to, i32 width, i32 blended, i16 factor, i16 low,
                         i16 high) {
    WHOLE
    for (i32 x = 0; x < width; x++) {
        /* of 2^15: two times m (1 - m), or 1 - m */
        const i16 rest = (i16)(255 - m[x]), part = (i16)(blended ? m[x] : 64), odd = (i16)(blended ? 0 : rest >> 2);
        const i16 weight = (i16)(2 * (rest * part + odd));
        const i16 move = times(times((i16)(g[x] - s[x]), weight), factor);
        i16 value = (i16)(to[x] + move);
        value = value > low ? value : low;
        value = value < high ? value : high;
        to[x] = m[x] ? (u8)value : to[x];
    }
}

/* how a plane's samples are moved */
typedef struct {
    const Plane *mask, *sample, *goal, *out;
    const i32 *box;
    const u8 *marks;
    i16 factor, low, high;
} Move;

/* the marked blocks of one row of cells */
INLINE void take_out(const Move *move, i32 row, i32 side, i32 blended) {
    const i32 across = move->goal->width, blocks = blocks_of(across), *box = move->box;
    for (i32 b = 0; b < blocks; b++) {
        if (!move->marks[row * blocks + b]) continue;
        const i32 first = b * ACROSS, count = across - first < ACROSS ? across - first : ACROSS;
        const i32 left = first * side < box[0] ? box[0] : first * side;
        const i32 right = (first + count) * side > box[2] ? box[2] : (first + count) * side;
        uint32_t wanted[8][ACROSS * 2];
        for (i32 i = 0; i < side; i++) spread(move->goal, row, i, side, first, wanted[i]);
        for (i32 i = 0; i < side; i++) {
            const i32 y = row * side + i;
            if (y < box[1] || y >= box[3]) continue;
            const u8 *m = row_of(move->mask, y) + left, *from = row_of(move->sample, y) + left;
            const u8 *g = (const u8 *)wanted[i] + left - first * side;
            u8 *to = row_of(move->out, y) + left;
            if (right - left == ACROSS * side)
                move_samples(m, from, g, to, ACROSS * side, blended, move->factor, move->low, move->high);
            else
                move_samples(m, from, g, to, right - left, blended, move->factor, move->low, move->high);
        }
    }
}

/* One plane, in the marked blocks, within the box, which is in the plane's own pixels, where the mask m is not 0:
   out += strength * (1 - m) * (m if blended, else 1) * (goal - sample)
   side: pixels of a cell, 1, 2, 4 or 8; marks: as vcam_rim_goal has it; strength: 0 to 1. behind: if it is not null, out
   is first what vcam_blend makes of it by scale and lift, row by row, so that nothing is fetched twice; then it may
   be out. */
EXPORT void vcam_rim_apply(const Plane *mask, const Plane *sample, const Plane *goal, const Plane *out, const i32 *box,
                           i32 side, const u8 *marks, i32 blended, const Plane *behind, float strength, float scale, i32 lift,
                           i32 low, i32 high) {
    /* what a weight lacks of 1: the move of a blend is counted four times as fine */
    const float whole = blended ? 16384.0f / 65025.0f : 1.0f, parts = within(strength, 1.0f) * whole * 32768.0f + 0.5f;
    const Move move = {mask, sample, goal, out, box, marks, (i16)within(parts, 32767.0f), (i16)low, (i16)high};
    const i16 factor = blend_factor(within(scale, 1.0f));
    for (i32 row = box[1] / side; row * side < box[3]; row++) {
        const i32 end = (row + 1) * side < box[3] ? (row + 1) * side : box[3];
        for (i32 y = row * side < box[1] ? box[1] : row * side; behind && y < end; y++)
            blend_row(row_of(mask, y) + box[0], row_of(sample, y) + box[0], row_of(behind, y) + box[0],
                      row_of(out, y) + box[0], box[2] - box[0], factor, lift);
#define BY(number) \
    if (side == number && blended) take_out(&move, row, number, 1); \
    if (side == number && !blended) take_out(&move, row, number, 0);
        BY(1) BY(2) BY(4) BY(8)
#undef BY
    }
}
