/* vcam/segment/emptyroom/edge.py */

#include "room.h"

/* Samples of the target that are worked on together; those at a row's end may be fewer. */
enum { BLOCK = 16 };

/* What is said of a pixel of half the map, and then of each sample of a row of the target: how far it moves, the noise,
   what alpha is divided by, and the expectation of each plane without the plate's share. */
enum { OF_SHARE, OF_NOISE, OF_PER, OF_Y, OF_U, OF_V, PARTS };

INLINE ptrdiff_t blocks_across(i32 width) { return (width + BLOCK - 1) / BLOCK; }

/* How many numbers of four bytes vcam_room_edge needs, for a map and a target of so many pixels across. */
EXPORT_ONE ptrdiff_t vcam_room_edge_scratch(i32 width, i32 height, i32 across) {
    const ptrdiff_t samples = PARTS * BLOCK * blocks_across(across), halves = PARTS * ((ptrdiff_t)width / 2 + 2);
    const ptrdiff_t bytes = 3 * ((ptrdiff_t)width + 2 * EDGE) + (ptrdiff_t)width * height + blocks_across(across);
    return samples + halves + width + 1 + bytes / 4 + 1;
}

/* bit 0: whether any pixel of the 3 by 3 is more than a half; bit 1: whether any is less. row: with EDGE around it */
INLINE void look_around(const Plane *map, i32 y, u8 *restrict row, u8 *restrict near) {
    const i32 width = map->width;
    const u8 *a = row_of(map, clamped(y - 1, map->height - 1)), *b = row_of(map, y);
    const u8 *c = row_of(map, clamped(y + 1, map->height - 1));
    INDEPENDENT
    for (i32 x = 0; x < width; x++) {
        u8 any = (a[x] | b[x] | c[x]) >> 7, all = (a[x] & b[x] & c[x]) >> 7;
        row[x] = (u8)(any | (2 - 2 * all));
    }
    row[-1] = row[0], row[width] = row[width - 1];
    INDEPENDENT
    for (i32 x = 0; x < width; x++) near[x] = (u8)((row[x - 1] | row[x] | row[x + 1]) == 3);
}

/* how many of the 3 by 3 around each pixel of a row are near the edge; beyond the border, those within it once more */
INLINE i32 count_around(const u8 *near, i32 width, i32 height, i32 y, u8 *restrict row, u8 *restrict counts) {
    const i32 up = y ? y - 1 : clamped(1, height - 1), down = y < height - 1 ? y + 1 : clamped(height - 2, height - 1);
    const u8 *a = near + (ptrdiff_t)up * width, *b = near + (ptrdiff_t)y * width, *c = near + (ptrdiff_t)down * width;
    u8 some = 0;
    INDEPENDENT
    for (i32 x = 0; x < width; x++) row[x] = a[x] + b[x] + c[x];
    row[-1] = row[clamped(1, width - 1)], row[width] = row[clamped(width - 2, width - 1)];
    INDEPENDENT
    for (i32 x = 0; x < width; x++) {
        counts[x] = row[x - 1] + row[x] + row[x + 1];
        some |= counts[x];
    }
    return some;
}

/* of a row of half the map what `PARTS` says, for so many pixels from its pixel `at` on; share: the most */
INLINE void say_halves(const Room *room, const Terms *t, const float *found, const float *told, ptrdiff_t at, i32 count,
                       float most, float *const *of) {
    const ptrdiff_t n = (ptrdiff_t)(room->width / 2) * (room->height / 2);
    const float *restrict luma = found + NOISE_Y * n + at, *restrict noise = found + NOISE * n + at;
    const float *restrict person = found + PERSON_ * n + at, *restrict lit = found + LIT * n + at;
    const float *restrict rest = found + RESIDUAL * n + at, *restrict drift = found + at, *o = told + OFFSET;
    const u8 *restrict known = room->known + at;
    float *restrict share = of[OF_SHARE], *restrict noises = of[OF_NOISE], *restrict per = of[OF_PER];
    float *restrict y = of[OF_Y], *restrict u = of[OF_U], *restrict v = of[OF_V];
    const float half_at = t->half_at, least = t->least_person, oy = o[0], ou = o[1], ov = o[2];
    INDEPENDENT
    for (i32 x = 0; x < count; x++) {
        const float dark = fabsf(rest[x]) / sqrtf(luma[x]);
        const float shade = lit[x] * bounded((dark - 1.0f) * 0.5f, 0.0f, 1.0f);
        const float sure = person[x] / (person[x] + half_at * noise[x]);
        share[x] = known[x] ? most * sure * (1.0f - shade) : 0.0f;
        noises[x] = noise[x], per[x] = 1.0f / most_of(person[x] - noise[x], least);
        y[x] = oy + drift[x], u[x] = ou + drift[n + x], v[x] = ov + drift[2 * n + x];
    }
}

/* Rows of the target from one that is moved to one that is fetched meanwhile: what lies along an outline is at no
   addresses that a processor foresees, and the wait for it is most of the time here. */
enum { AHEAD = 6 };

/* rows of frame and plate and of the target, and how alpha becomes a level */
typedef struct {
    const u8 *y, *u, *v, *plate_y, *plate_u, *plate_v;
    u8 *out;
    float gain[3], chroma, low, steep;
} Line;

/* some samples from an even one on, as many as BLOCK at most */
INLINE void move_block(const Line *line, float *const *part, i32 first, i32 count) {
    const u8 *a = line->y + first, *p = line->plate_y + first, *b = line->u + first / 2, *q = line->plate_u + first / 2;
    const u8 *c = line->v + first / 2, *r = line->plate_v + first / 2;
    const float *share = part[OF_SHARE] + first, *noise = part[OF_NOISE] + first, *per = part[OF_PER] + first;
    const float *y = part[OF_Y] + first, *u = part[OF_U] + first, *v = part[OF_V] + first;
    const float gain = line->gain[0], of_u = line->gain[1], of_v = line->gain[2];
    float du[BLOCK], dv[BLOCK], wanted[BLOCK];
    for (i32 x = 0; x < (count + 1) / 2; x++) {
        du[2 * x] = du[2 * x + 1] = (float)b[x] - of_u * (float)q[x];
        dv[2 * x] = dv[2 * x + 1] = (float)c[x] - of_v * (float)r[x];
    }
    for (i32 x = 0; x < count; x++) {
        const float e = (float)a[x] - gain * (float)p[x] - y[x], f = du[x] - u[x], k = dv[x] - v[x];
        const float squares = e * e + line->chroma * (f * f + k * k);
        const float alpha = sqrtf(most_of(squares - noise[x], 0.0f) * per[x]);
        wanted[x] = bounded((alpha - line->low) * line->steep, 0.0f, 255.0f);
    }
    u8 *restrict out = line->out + first;
    for (i32 x = 0; x < count; x++) {
        const float was = (float)out[x];
        out[x] = (u8)(i32)(was + share[x] * (wanted[x] - was) + 0.5f);
    }
}

/* Where `map`, of what the target covers, has its edge, the target's samples move towards what frame and plate alone say
   of them. Planes of target and plate: of one size, chroma half; the map's first pixel is (left, top), both even.
   found, told: as vcam_room leaves them; scratch: for the map's width, its height and the target's width. */
EXPORT void vcam_room_edge(const Room *room, const Terms *t, const float *found, const float *told, const Plane *target,
                           const Plane *y, const Plane *u, const Plane *v, const Plane *plate_y, const Plane *plate_u,
                           const Plane *plate_v, const Plane *map, i32 left, i32 top, float low, float high,
                           float strength, float *scratch) {
    const i32 w = room->width / 2, h = room->height / 2, across = map->width, down = map->height, width = target->width;
    const i32 blocks = (i32)blocks_across(width), begin = clamped(left / 2, w - 1);
    const i32 halves = clamped((left + across - 1) / 2, w - 1) - begin + 1;
    const float most = strength * told[GATE] * told[TRUST] * (1.0f / 9.0f);
    float *of[PARTS], *part[PARTS];
    for (i32 i = 0; i < PARTS; i++, scratch += blocks * BLOCK) part[i] = scratch;
    memset(part[0], 0, sizeof(float) * PARTS * BLOCK * (size_t)blocks);
    for (i32 i = 0; i < PARTS; i++, scratch += across / 2 + 2) of[i] = scratch;
    i32 *starts = (i32 *)scratch;
    for (i32 x = 0; x <= across; x++) starts[x] = x * width / across;
    u8 *row = (u8 *)(starts + across + 1) + EDGE, *counts = row + across + 2 * EDGE, *near = counts + across + EDGE;
    u8 *marks = near + (ptrdiff_t)across * down;
    for (i32 i = 0; i < down; i++) look_around(map, i, row, near + (ptrdiff_t)i * across);
    Line line = {.chroma = t->chroma, .low = low, .steep = 255.0f / (high - low)};
    for (i32 i = 0; i < 3; i++) line.gain[i] = told[GAIN + i];
    i32 said = -1;
    for (i32 i = 0; i < down; i++) {
        if (!count_around(near, across, down, i, row, counts)) continue;
        const i32 here = clamped((top + i) / 2, h - 1);
        if (here != said) say_halves(room, t, found, told, (ptrdiff_t)here * w + begin, halves, most, of);
        said = here;
        memset(part[OF_SHARE], 0, sizeof(float) * (size_t)width);
        memset(marks, 0, (size_t)blocks);
        for (i32 c = 0; c < across; c++) {
            if (!counts[c]) continue;
            const i32 at = clamped((left + c) / 2, w - 1) - begin;
            const float share = of[OF_SHARE][at] * (float)counts[c];
            for (i32 x = starts[c]; x < starts[c + 1]; x++) {
                part[OF_SHARE][x] = share;
                for (i32 k = OF_NOISE; k < PARTS; k++) part[k][x] = of[k][at];
                marks[x / BLOCK] = 1;
            }
        }
        const i32 first = i * target->height / down, end = (i + 1) * target->height / down;
        for (i32 j = first; j < end; j++) {
            line.y = row_of(y, j), line.u = row_of(u, j / 2), line.v = row_of(v, j / 2);
            line.plate_y = row_of(plate_y, j), line.plate_u = row_of(plate_u, j / 2), line.plate_v = row_of(plate_v, j / 2);
            line.out = row_of(target, j);
            const i32 next = clamped(j + AHEAD, target->height - 1);
            const u8 *const ahead[] = {row_of(y, next), row_of(plate_y, next), row_of(target, next)};
            const u8 *const colours[] = {row_of(u, next / 2), row_of(v, next / 2), row_of(plate_u, next / 2),
                                         row_of(plate_v, next / 2)};
            for (i32 b = 0; b < blocks; b++) {
                if (!marks[b]) continue;
                for (i32 k = 0; k < 3; k++) __builtin_prefetch(ahead[k] + b * BLOCK);
                if (next % 2 == 0)
                    for (i32 k = 0; k < 4; k++) __builtin_prefetch(colours[k] + b * BLOCK / 2);
                if ((b + 1) * BLOCK <= width)
                    move_block(&line, part, b * BLOCK, BLOCK);
                else
                    move_block(&line, part, b * BLOCK, width - b * BLOCK);
            }
        }
    }
}
