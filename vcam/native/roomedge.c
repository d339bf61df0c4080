/* vcam/segment/emptyroom/edge.py */

#include "room.h"

/* Where `band` is not 0, of map pixels, the target's samples move towards what frame and
   plate alone say of them. Planes of target and plate: of one size, chroma half; the band covers them, and its first
   pixel is the map's (left, top), both even. found, told: as vcam_room leaves them. */
EXPORT void vcam_room_edge(const Room *room, const Terms *t, const float *found, const float *told, const Plane *target,
                           const Plane *y, const Plane *u, const Plane *v, const Plane *plate_y, const Plane *plate_u,
                           const Plane *plate_v, const Plane *band, i32 left, i32 top, float low, float high,
                           float strength) {
    const i32 w = room->width / 2, h = room->height / 2, n = w * h;
    const float steep = 255.0f / (high - low), *g = told + GAIN, *o = told + OFFSET;
    for (i32 row = 0; row < band->height; row++) {
        const u8 *marks = row_of(band, row);
        const i32 first = row * target->height / band->height, end = (row + 1) * target->height / band->height;
        for (i32 column = 0; column < band->width; column++) {
            const i32 x = (left + column) / 2, at = clamped((top + row) / 2, h - 1) * w + clamped(x, w - 1);
            if (!marks[column] || !room->known[at]) continue;
            const float luma = found[NOISE_Y * n + at], noise = found[NOISE * n + at], person = found[PERSON_ * n + at];
            const float dark = fabsf(found[RESIDUAL * n + at]) / sqrtf(luma);
            const float shade = found[LIT * n + at] * bounded((dark - 1.0f) * 0.5f, 0.0f, 1.0f);
            const float share = strength * told[GATE] * told[TRUST] * person / (person + t->half_at * noise) * (1.0f - shade) *
                                (float)marks[column] * (1.0f / 255.0f);
            const float per = 1.0f / most_of(person - noise, t->least_person);
            const float offset_y = o[0] + found[at], offset_u = o[1] + found[n + at], offset_v = o[2] + found[2 * n + at];
            const i32 from = column * target->width / band->width, to = (column + 1) * target->width / band->width;
            for (i32 j = first; j < end; j++) {
                const u8 *a = row_of(y, j), *b = row_of(u, j / 2), *c = row_of(v, j / 2);
                const u8 *p = row_of(plate_y, j), *q = row_of(plate_u, j / 2), *r = row_of(plate_v, j / 2);
                u8 *out = row_of(target, j);
                for (i32 i = from; i < to; i++) {
                    float dy = (float)a[i] - g[0] * (float)p[i] - offset_y, du = (float)b[i / 2] - g[1] * (float)q[i / 2] - offset_u;
                    float dv = (float)c[i / 2] - g[2] * (float)r[i / 2] - offset_v;
                    float alpha = sqrtf(most_of(dy * dy + t->chroma * (du * du + dv * dv) - noise, 0.0f) * per);
                    alpha = bounded((alpha - low) * steep, 0.0f, 255.0f);
                    out[i] = (u8)((float)out[i] + share * (alpha - (float)out[i]) + 0.5f);
                }
            }
        }
    }
}
