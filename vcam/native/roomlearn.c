/* vcam/segment/emptyroom/layers.py */

#include "common.h"
#include <math.h>
#include <string.h>

/* as vcam/native/room.py has it */
typedef struct {
    float luma, chroma, single, rate, shade_low, shade_high, shade_chroma, black;
    i32 need, patience, strange;
} LearnTerms;

/* Two layers of a room, each of whose pixels is one sample of chroma and four of luma: what is taken for the room, 256
   times its level, and what may replace it, with how often it was seen; how often the room has been contradicted, and
   how often confirmed. */
typedef struct {
    u16 *y, *u, *v;
    u8 *other_y, *other_u, *other_v, *count, *doubt, *known, *age;
} Layers;

INLINE float size_of(float x) { return x < 0.0f ? -x : x; }
INLINE float larger(float a, float b) { return a > b ? a : b; }
INLINE float smaller(float a, float b) { return a < b ? a : b; }
INLINE u16 fixed(float level) { return (u16)(smaller(larger(level, 0.0f), 255.0f) * 256.0f + 0.5f); }

/* How many numbers of four bytes vcam_room_learn needs. */
EXPORT_ONE ptrdiff_t vcam_room_learn_scratch(i32 width) { return 13 * (ptrdiff_t)width; }

/* One step, with a frame whose chroma has the layers' size. sure: where surely nobody is, above 1 where
   nothing is taken; strange: where something else is; lines: gain and offset of the three planes, by which the frame's
   light differs from the room's. */
EXPORT void vcam_room_learn(const Layers *room, const LearnTerms *t, const Plane *luma, const Plane *cb, const Plane *cr,
                            const u8 *sure, const u8 *strange, const float *lines, float *scratch) {
    const i32 width = cb->width, height = cb->height;
    const float per_y = 1.0f / lines[0], per_u = 1.0f / lines[1], per_v = 1.0f / lines[2];
    const float off_y = lines[3], off_u = lines[4], off_v = lines[5], share = 1.0f / 256.0f;
    float *rows[13];
    for (i32 i = 0; i < 13; i++) rows[i] = scratch + i * width;
    for (i32 row = 0; row < height; row++) {
        const u8 *restrict a = row_of(luma, 2 * row), *restrict b = row_of(luma, 2 * row + 1);
        const u8 *restrict in_u = row_of(cb, row), *restrict in_v = row_of(cr, row);
        const ptrdiff_t at = (ptrdiff_t)row * width;
        u16 *first = room->y + 4 * at, *second = first + 2 * width, *ru = room->u + at, *rv = room->v + at;
        u8 *oy = room->other_y + at, *ou = room->other_u + at, *ov = room->other_v + at;
        u8 *count = room->count + at, *doubt = room->doubt + at, *known = room->known + at;
        u8 *age = room->age + at;
        const u8 *where = sure + at, *odd = strange + at;
        INDEPENDENT
        for (i32 x = 0; x < width; x++) {
            float y0 = ((float)a[2 * x] - off_y) * per_y, y1 = ((float)a[2 * x + 1] - off_y) * per_y;
            float y2 = ((float)b[2 * x] - off_y) * per_y, y3 = ((float)b[2 * x + 1] - off_y) * per_y;
            float u = ((float)in_u[x] - off_u) * per_u, v = ((float)in_v[x] - off_v) * per_v;
            float p0 = (float)first[2 * x] * share, p1 = (float)first[2 * x + 1] * share;
            float p2 = (float)second[2 * x] * share, p3 = (float)second[2 * x + 1] * share;
            float pu = (float)ru[x] * share, pv = (float)rv[x] * share;
            float mean = (y0 + y1 + y2 + y3) * 0.25f, was = (p0 + p1 + p2 + p3) * 0.25f;
            float widest = larger(larger(size_of(y0 - p0), size_of(y1 - p1)), larger(size_of(y2 - p2), size_of(y3 - p3)));
            float is_known = known[x] ? 1.0f : 0.0f, is_sure = where[x] ? 1.0f : 0.0f;
            float only = where[x] > 1 ? 0.0f : 1.0f;
            float fits = (size_of(mean - was) < t->luma) & (widest < t->single) & (size_of(u - pu) < t->chroma) &
                                 (size_of(v - pv) < t->chroma) ? is_known : 0.0f;
            float agrees = fits * is_sure, rest = is_sure - agrees;
            float ratio = (mean - t->black) / larger(was - t->black, 1.0f);
            float shaded = (ratio > t->shade_low) & (ratio < t->shade_high) &
                           (size_of(u - 128.0f - ratio * (pu - 128.0f)) < t->shade_chroma) &
                           (size_of(v - 128.0f - ratio * (pv - 128.0f)) < t->shade_chroma) ? rest * is_known : 0.0f;
            float seen = (float)count[x], cy = (float)oy[x], cu = (float)ou[x], cv = (float)ov[x];
            float same = (seen > 0.0f) & (size_of(mean - cy) < t->luma) & (size_of(u - cu) < t->chroma) &
                                 (size_of(v - cv) < t->chroma) ? rest : 0.0f;
            float now = same > 0.0f ? smaller(seen + 1.0f, 250.0f) : rest > 0.0f ? 1.0f : agrees > 0.0f ? 0.0f : seen;
            now *= only;
            float limit = (float)t->need * (1.0f + shaded * (float)(t->patience - 1));
            float take = now >= limit ? rest : 0.0f, part = same > 0.0f ? 1.0f / larger(now, 1.0f) : 1.0f;
            rows[0][x] = rest > 0.0f ? cy + (mean - cy) * part : cy;
            rows[1][x] = rest > 0.0f ? cu + (u - cu) * part : cu;
            rows[2][x] = rest > 0.0f ? cv + (v - cv) * part : cv;
            float doubts = (float)doubt[x];
            doubts = fits + shaded > 0.0f ? 0.0f : smaller(doubts + rest, 250.0f);
            doubts = odd[x] && fits + is_sure == 0.0f ? (float)t->strange : doubts;
            rows[3][x] = take > 0.0f ? 0.0f : doubts;
            rows[4][x] = take > 0.0f ? 0.0f : now;
            rows[5][x] = take;
            /* a mean at first, and then a slow average */
            float old = take > 0.0f ? 1.0f : smaller((float)age[x] + agrees, 250.0f);
            rows[12][x] = old;
            float gain = take > 0.0f ? 1.0f : agrees * larger(t->rate, 1.0f / larger(old, 1.0f));
            rows[6][x] = p0 + gain * (y0 - p0), rows[7][x] = p1 + gain * (y1 - p1);
            rows[8][x] = p2 + gain * (y2 - p2), rows[9][x] = p3 + gain * (y3 - p3);
            rows[10][x] = pu + gain * (u - pu), rows[11][x] = pv + gain * (v - pv);
        }
        INDEPENDENT
        for (i32 x = 0; x < width; x++) {
            oy[x] = (u8)smaller(larger(rows[0][x] + 0.5f, 0.0f), 255.0f);
            ou[x] = (u8)smaller(larger(rows[1][x] + 0.5f, 0.0f), 255.0f);
            ov[x] = (u8)smaller(larger(rows[2][x] + 0.5f, 0.0f), 255.0f);
            doubt[x] = (u8)rows[3][x], count[x] = (u8)rows[4][x], age[x] = (u8)rows[12][x];
            known[x] = rows[5][x] > 0.0f ? 255 : known[x];
        }
        INDEPENDENT
        for (i32 x = 0; x < width; x++) {
            first[2 * x] = fixed(rows[6][x]), first[2 * x + 1] = fixed(rows[7][x]);
            second[2 * x] = fixed(rows[8][x]), second[2 * x + 1] = fixed(rows[9][x]);
            ru[x] = fixed(rows[10][x]), rv[x] = fixed(rows[11][x]);
        }
    }
}
