/* vcam/segment/emptyroom/edge.py */

#include "room.h"

/* What one undecided pixel of the map says of all its samples, one array behind the other; and what samples are made of. */
enum { OF_SHARE, OF_NOISE, OF_PER, OF_Y, OF_U, OF_V, OF_MAP };
enum { DY = OF_MAP, DU, DV, PARTS };

INLINE ptrdiff_t widest_of(i32 width, i32 across) { return (width > across ? width : across) + 2 * (ptrdiff_t)EDGE; }

/* How many numbers of four bytes vcam_room_edge needs, for a map and a target of so many pixels across. */
EXPORT_ONE ptrdiff_t vcam_room_edge_scratch(i32 width, i32 height, i32 across) {
    return (OF_MAP + PARTS + 4) * widest_of(width, across) + (3 * ((ptrdiff_t)width + 2 * EDGE) + (ptrdiff_t)width * height) / 4 + 1;
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

/* the columns of a row that are undecided, and known; returns how many */
INLINE i32 list_columns(const u8 *counts, const u8 *known, i32 width, i32 left, i32 last, i32 *restrict columns) {
    i32 number = 0;
    for (i32 x = 0; x < width; x++) {
        if (!counts[x]) continue;
        columns[number] = x;
        number += known[clamped((left + x) / 2, last)] != 0;
    }
    return number;
}

/* Where `map`, of what the target covers, has its edge, the target's samples move towards what frame and plate alone say
   of them. Planes of target and plate: of one size, chroma half; the map's first pixel is (left, top), both even.
   found, told: as vcam_room leaves them; scratch: for the map's width, its height and the target's width. */
EXPORT void vcam_room_edge(const Room *room, const Terms *t, const float *found, const float *told, const Plane *target,
                           const Plane *y, const Plane *u, const Plane *v, const Plane *plate_y, const Plane *plate_u,
                           const Plane *plate_v, const Plane *map, i32 left, i32 top, float low, float high,
                           float strength, float *scratch) {
    const i32 w = room->width / 2, h = room->height / 2, n = w * h, across = map->width, down = map->height;
    const ptrdiff_t wide = widest_of(across, target->width);
    const float steep = 255.0f / (high - low), *g = told + GAIN, *o = told + OFFSET;
    const float most = strength * told[GATE] * told[TRUST] * (1.0f / 9.0f);
    float *restrict of[OF_MAP], *restrict part[PARTS];
    for (i32 i = 0; i < OF_MAP; i++, scratch += wide) of[i] = scratch;
    for (i32 i = 0; i < PARTS; i++, scratch += wide) part[i] = scratch;
    i32 *columns = (i32 *)scratch, *places = columns + wide, *owners = places + wide, *halves = owners + wide;
    u8 *row = (u8 *)(halves + wide) + EDGE, *counts = row + across + 2 * EDGE, *near = counts + across + EDGE;
    for (i32 i = 0; i < down; i++) look_around(map, i, row, near + (ptrdiff_t)i * across);
    for (i32 i = 0; i < down; i++) {
        if (!count_around(near, across, down, i, row, counts)) continue;
        const ptrdiff_t here = (ptrdiff_t)clamped((top + i) / 2, h - 1) * w;
        const i32 listed = list_columns(counts, room->known + here, across, left, w - 1, columns);
        const float *restrict luma = found + NOISE_Y * n + here, *restrict noise = found + NOISE * n + here;
        const float *restrict person = found + PERSON_ * n + here, *restrict lit = found + LIT * n + here;
        const float *restrict rest = found + RESIDUAL * n + here, *restrict drift = found + here;
        i32 many = 0;
        for (i32 k = 0; k < listed; k++) {
            const i32 end = (columns[k] + 1) * target->width / across;
            for (i32 x = columns[k] * target->width / across; x < end; x++) places[many] = x, owners[many++] = k;
            halves[k] = clamped((left + columns[k]) / 2, w - 1);
        }
        INDEPENDENT
        for (i32 k = 0; k < listed; k++) {
            const i32 at = halves[k];
            const float dark = fabsf(rest[at]) / sqrtf(luma[at]);
            const float shade = lit[at] * bounded((dark - 1.0f) * 0.5f, 0.0f, 1.0f);
            const float sure = person[at] / (person[at] + t->half_at * noise[at]);
            of[OF_SHARE][k] = most * sure * (1.0f - shade) * (float)counts[columns[k]];
            of[OF_NOISE][k] = noise[at], of[OF_PER][k] = 1.0f / most_of(person[at] - noise[at], t->least_person);
            of[OF_Y][k] = o[0] + drift[at], of[OF_U][k] = o[1] + drift[n + at], of[OF_V][k] = o[2] + drift[2 * n + at];
        }
        for (i32 c = 0; c < OF_MAP; c++) {
            const float *restrict from = of[c];
            float *restrict to = part[c];
            INDEPENDENT
            for (i32 m = 0; m < many; m++) to[m] = from[owners[m]];
        }
        const i32 first = i * target->height / down, end = (i + 1) * target->height / down;
        for (i32 j = first; j < end; j++) {
            const u8 *a = row_of(y, j), *b = row_of(u, j / 2), *c = row_of(v, j / 2);
            const u8 *p = row_of(plate_y, j), *q = row_of(plate_u, j / 2), *r = row_of(plate_v, j / 2);
            u8 *out = row_of(target, j);
            float *restrict dy = part[DY], *restrict du = part[DU], *restrict dv = part[DV];
            for (i32 m = 0; m < many; m++) {
                const i32 x = places[m];
                dy[m] = (float)a[x] - g[0] * (float)p[x], du[m] = (float)b[x / 2] - g[1] * (float)q[x / 2];
                dv[m] = (float)c[x / 2] - g[2] * (float)r[x / 2];
            }
            INDEPENDENT
            for (i32 m = 0; m < many; m++) {
                const float e = dy[m] - part[OF_Y][m], f = du[m] - part[OF_U][m], k = dv[m] - part[OF_V][m];
                const float squares = e * e + t->chroma * (f * f + k * k);
                const float alpha = sqrtf(most_of(squares - part[OF_NOISE][m], 0.0f) * part[OF_PER][m]);
                dy[m] = bounded((alpha - low) * steep, 0.0f, 255.0f);
            }
            for (i32 m = 0; m < many; m++) {
                const float was = (float)out[places[m]];
                out[places[m]] = (u8)(was + part[OF_SHARE][m] * (dy[m] - was) + 0.5f);
            }
        }
    }
}
