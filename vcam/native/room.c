/* vcam/segment/emptyroom/finding.py: the comparison of one map with the empty room, step by step. */

#include "roomevidence.h"

/* How many numbers of four bytes vcam_room needs. */
EXPORT_ONE ptrdiff_t vcam_room_scratch(i32 width, i32 height) {
    const ptrdiff_t all = (ptrdiff_t)width * height, quarter = all / 4;
    const ptrdiff_t cells = (ptrdiff_t)cells_of(width / 2, NEAR) * cells_of(height / 2, NEAR);
    return all / 2 + 9 * quarter + 6 * cells + ROWS * ((ptrdiff_t)width + 2 * EDGE) + (5 * quarter) / 4 + 64;
}

/* where each plane lies: what is found outlives the call, the rest is scratch */
INLINE Work work_of(const Room *room, const Terms *t, float *found, u8 *strange, u8 *sure, float *scratch) {
    const i32 W = room->width, H = room->height, w = W / 2, h = H / 2, N = W * H, n = w * h;
    Work k = {.room = room, .t = t, .W = W, .H = H, .w = w, .h = h, .N = N, .n = n, .sure = sure, .strange = strange};
    float **halves[] = {&k.residual[1], &k.residual[2], &k.noise[1], &k.noise[2], &k.colour,
                        &k.likely, &k.spread_luma, &k.spread_chroma, &k.close};
    for (i32 i = 0; i < 9; i++, scratch += n) *halves[i] = scratch;
    const i32 fine = cells_of(w, NEAR) * cells_of(h, NEAR), wide = W + 2 * EDGE;
    for (i32 i = 0; i < 6; i++, scratch += fine) k.cell[i] = scratch;
    for (i32 i = 0; i < ROWS; i++, scratch += wide) k.rows[i] = scratch + EDGE;
    k.texture = (i16 *)scratch, scratch += N / 2;
    u8 *bytes = (u8 *)scratch;
    for (i32 i = 0; i < 3; i++, bytes += n) k.frame[i] = bytes;
    k.weight = bytes, k.copy = bytes + n;
    k.drift = found + (ptrdiff_t)DRIFT * n, k.residual[0] = found + (ptrdiff_t)RESIDUAL * n;
    k.noise[0] = found + (ptrdiff_t)NOISE_Y * n, k.all_noise = found + (ptrdiff_t)NOISE * n;
    k.person = found + (ptrdiff_t)PERSON_ * n, k.lit = found + (ptrdiff_t)LIT * n;
    return k;
}

/* The corrected map, `out`, of p; both dense. out: the last one, or 1 where there was none. before: the evidence of the
   last frame, and then of this; found: FOUND
   planes and told: TOLD numbers, whose BELIEVED and TRUST are those of the last frame, BELIEVED below 0 if there was
   none. strange, sure: of half the size. Planes of the frame: y of the map's size, u and v of half of it. Where nothing can be
   told `out` is p, and the gate 0. */
EXPORT void vcam_room(const Room *room, const Terms *t, const float *restrict p, const Plane *luma, const Plane *cb,
                      const Plane *cr, float *restrict before, float *restrict out, float *found, u8 *strange, u8 *sure,
                      float *told, float *scratch) {
    Work k = work_of(room, t, found, strange, sure, scratch);
    k.count = find_room(room, t, p, sure, k.copy, k.rows[0]);
    told[SHARE] = (float)k.count / (float)k.n;
    float gate = 0.0f;
    if (told[SHARE] < t->least)
        told[BELIEVED] = -1.0f;
    else {
        halve_planes(&k, luma, cb, cr);
        fit_light(&k, told);
        gate = agreement_of(&k, luma, told);
    }
    if (!(gate > 0.0f)) {
        told[GATE] = 0.0f;
        memcpy(out, p, sizeof(float) * (size_t)k.N);
        memset(before, 0, sizeof(float) * (size_t)k.N);
        return;
    }
    take_drift(&k);
    find_noise(&k, luma, told);
    find_person(&k, p);
    find_likelihood(&k);
    find_strange(&k, p);
    const Sure counts = weigh(&k, luma, told, p, before);
    told[TRUST] = trust_of(t, counts, k.N, told[TRUST]);
    correct(t, p, before, told[TRUST], out, k.N);
}
