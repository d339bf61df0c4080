/* vcam/segment/emptyroom/evidence.py: what the plate says of each pixel. */

#ifndef VCAM_ROOMEVIDENCE_H
#define VCAM_ROOMEVIDENCE_H

#include "roomlight.h"

/* how the person nearby differs from the room, in finer cells */
INLINE void find_person(const Work *k, const float *p) {
    const Terms *t = k->t;
    const i32 w = k->w, h = k->h, n = k->n, W = k->W;
    const i32 across = cells_of(w, NEAR), down = cells_of(h, NEAR), fine = across * down;
    float *there = k->there, *squares = k->squares, *temporary = k->temporary, *copied = k->cell[3];
    const float *restrict ry = k->residual[0], *restrict ru = k->residual[1], *restrict rv = k->residual[2];
    for (i32 y = 0; y < h; y++) {
        const float *restrict a = p + (ptrdiff_t)2 * y * W, *restrict b = a + W;
        float *restrict to = there + (ptrdiff_t)y * w;
        INDEPENDENT
        for (i32 x = 0; x < w; x++) {
            float lowest = least_of(least_of(a[2 * x], a[2 * x + 1]), least_of(b[2 * x], b[2 * x + 1]));
            to[x] = lowest > t->person ? 1.0f : 0.0f;
        }
    }
    INDEPENDENT
    for (i32 i = 0; i < n; i++) {
        squares[i] = there[i] * ry[i] * ry[i];
        temporary[i] = there[i] * 0.5f * (ru[i] * ru[i] + rv[i] * rv[i]);
    }
    const float weak = t->prior_weight * 9 * NEAR * NEAR;
    float *number = k->cell[0], *of_luma = k->cell[1], *of_chroma = k->cell[2], *mixed = k->cell[4];
    sum_cells(there, number, w, h, NEAR), sum_around(number, copied, across, down);
    sum_cells(squares, of_luma, w, h, NEAR), sum_around(of_luma, copied, across, down);
    sum_cells(temporary, of_chroma, w, h, NEAR), sum_around(of_chroma, copied, across, down);
    for (i32 i = 0; i < fine; i++) {
        float a = (of_luma[i] + weak * t->prior_luma) / (number[i] + weak);
        float b = (of_chroma[i] + weak * t->prior_chroma) / (number[i] + weak);
        mixed[i] = t->luma * a + 2 * t->chroma * b;
        of_luma[i] = least_of(a * t->spread, 4 * t->prior_luma);
        of_chroma[i] = least_of(b * t->spread, 4 * t->prior_chroma);
        number[i] = least_of(number[i] / t->close, 1.0f);
    }
    spread_cells(mixed, k->person, k->row, w, h, NEAR);
    spread_cells(of_luma, k->spread_luma, k->row, w, h, NEAR);
    spread_cells(of_chroma, k->spread_chroma, k->row, w, h, NEAR);
    spread_cells(number, k->close, k->row, w, h, NEAR);
}

/* the share of chroma in the likelihood, the logarithms of all three, and how far it is the room in another light */
INLINE void find_likelihood(const Work *k) {
    const Room *room = k->room;
    const Terms *t = k->t;
    const i32 n = k->n;
    float *restrict spread_luma = k->spread_luma, *restrict likely = k->likely, *restrict colour = k->colour;
    float *restrict all_noise = k->all_noise, *restrict lit = k->lit;
    const float *restrict spread_chroma = k->spread_chroma;
    const float *restrict ry = k->residual[0], *restrict ru = k->residual[1], *restrict rv = k->residual[2];
    const float *restrict ny = k->noise[0], *restrict nu = k->noise[1], *restrict nv = k->noise[2];
    const u8 *restrict py = room->half, *restrict pu = room->u, *restrict pv = room->v;
    INDEPENDENT
    for (i32 i = 0; i < n; i++) {
        float su = nu[i] + t->slipped * room->slope_u[i], sv = nv[i] + t->slipped * room->slope_v[i];
        float fu = most_of(spread_chroma[i], su), fv = most_of(spread_chroma[i], sv), fy = most_of(spread_luma[i], ny[i]);
        float uu = ru[i] * ru[i], vv = rv[i] * rv[i], iu = 1.0f / su, iv = 1.0f / sv;
        spread_luma[i] = fy;
        likely[i] = 0.5f * uu * (iu - 1.0f / (su + fu)) + 0.5f * vv * (iv - 1.0f / (sv + fv)) -
                    0.5f * logarithm((1.0f + fu * iu) * (1.0f + fv * iv) * (1.0f + fy / ny[i]));
        colour[i] = t->chroma * (uu + vv);
        all_noise[i] = t->chroma * (su + sv) + ny[i];
        float above = most_of((float)py[i] - t->black, 1.0f), ratio = bounded((ry[i] + above) / above, 0.0f, 2.0f);
        float du = ru[i] + (1.0f - ratio) * ((float)pu[i] - 128.0f), dv = rv[i] + (1.0f - ratio) * ((float)pv[i] - 128.0f);
        float z = du * du * iu + dv * dv * iv;
        lit[i] = bounded((ratio - t->shade_low) * 10.0f, 0.0f, 1.0f) *
                 bounded((t->shade_high - ratio) * 10.0f, 0.0f, 1.0f) / (1.0f + z * 0.0625f + 0.003f * z * z);
    }
}

/* where something is that begins in the sure room, and so is no part of the person */
INLINE void find_strange(const Work *k, const float *p) {
    const Terms *t = k->t;
    const i32 w = k->w, h = k->h, n = k->n, W = k->W;
    const float *all_noise = k->all_noise, *colour = k->colour, *person = k->person;
    float *lit = k->lit;
    u8 *strange = k->strange, *copy = k->copy, *sure = k->sure;
    u8 *differs = k->weight, *seeds = copy;
    const float *restrict ry = k->residual[0];
    i32 any = 0;
    for (i32 y = 0; y < h; y++) {
        const float *restrict a = p + (ptrdiff_t)2 * y * W, *restrict b = a + W;
        const ptrdiff_t at = (ptrdiff_t)y * w;
        INDEPENDENT
        for (i32 x = 0; x < w; x++) {
            float highest = most_of(most_of(a[2 * x], a[2 * x + 1]), most_of(b[2 * x], b[2 * x + 1]));
            float noisy = all_noise[at + x], excess = ry[at + x] * ry[at + x] + colour[at + x] - noisy;
            float wanted = t->middle * t->middle * most_of(person[at + x] - noisy, t->least_person);
            differs[at + x] = (excess > wanted) & (highest < t->person);
        }
    }
    INDEPENDENT
    for (i32 i = 0; i < n; i++) seeds[i] = sure[i] & differs[i] & (lit[i] < 0.5f);
    memset(strange, 0, (size_t)n);
    for (i32 y = 1; y < h - 1; y++) {
        const u8 *a = seeds + (ptrdiff_t)(y - 1) * w, *b = a + w, *c = b + w;
        u8 *restrict to = strange + (ptrdiff_t)y * w;
        i32 some = 0;
        for (i32 x = 1; x < w - 1; x++) {
            u8 all = a[x - 1] & a[x] & a[x + 1] & b[x - 1] & b[x] & b[x + 1] & c[x - 1] & c[x] & c[x + 1];
            to[x] = all, some |= all;
        }
        any |= some;
    }
    for (i32 i = 0; any && i < t->reach; i++) {
        dilate(strange, copy, w, h);
        INDEPENDENT
        for (i32 x = 0; x < n; x++) strange[x] &= differs[x];
    }
    if (any) {
        dilate(strange, copy, w, h);
        INDEPENDENT
        for (i32 i = 0; i < n; i++) lit[i] = strange[i] ? 1.0f : lit[i];
    }
}

/* at the map's size: likelihood, differences, and their means */
INLINE void find_sums(const Work *k) {
    const Room *room = k->room;
    const Terms *t = k->t;
    const i32 W = k->W, H = k->H, w = k->w, h = k->h;
    float *sums = k->sums, *squared = k->squared, *row = k->row, *other = k->other;
    for (i32 y = 0; y < H; y++) {
        const i32 near = y / 2, far = clamped(y % 2 ? near + 1 : near - 1, h - 1);
        const float *restrict la = k->likely + (ptrdiff_t)near * w, *restrict lb = k->likely + (ptrdiff_t)far * w;
        const float *restrict ca = k->colour + (ptrdiff_t)near * w, *restrict cb_ = k->colour + (ptrdiff_t)far * w;
        const float *restrict ny = k->noise[0] + (ptrdiff_t)near * w, *restrict fy = k->spread_luma + (ptrdiff_t)near * w;
        const float *restrict steep = room->slope_y + (ptrdiff_t)y * W, *restrict r = k->full + (ptrdiff_t)y * W;
        float *restrict l = row + EDGE, *restrict c = other + EDGE;
        float *restrict to = sums + (ptrdiff_t)y * W, *restrict square = squared + (ptrdiff_t)y * W;
        INDEPENDENT
        for (i32 x = 0; x < w; x++) l[x] = 0.75f * la[x] + 0.25f * lb[x], c[x] = 0.75f * ca[x] + 0.25f * cb_[x];
        l[-1] = l[0], l[w] = l[w - 1], c[-1] = c[0], c[w] = c[w - 1];
        INDEPENDENT
        for (i32 x = 0; x < w; x++) {
            float first = r[2 * x] * r[2 * x], second = r[2 * x + 1] * r[2 * x + 1];
            float s = ny[x] + t->slipped * steep[2 * x], z = ny[x] + t->slipped * steep[2 * x + 1];
            float left = 0.75f * l[x] + 0.25f * l[x - 1] + 0.5f * first * (1.0f / s - 1.0f / (s + fy[x]));
            float right = 0.75f * l[x] + 0.25f * l[x + 1] + 0.5f * second * (1.0f / z - 1.0f / (z + fy[x]));
            to[2 * x] = bounded(left, -t->loudest_sum, t->loudest_sum);
            to[2 * x + 1] = bounded(right, -t->loudest_sum, t->loudest_sum);
            square[2 * x] = first + 0.75f * c[x] + 0.25f * c[x - 1];
            square[2 * x + 1] = second + 0.75f * c[x] + 0.25f * c[x + 1];
        }
    }
    window_means(k->cross, k->cross_mean, k->columns, W, H, WINDOW);
    window_means(k->own, k->own_mean, k->columns, W, H, WINDOW);
    /* the texture and the residual are used no more */
    window_means(sums, k->texture, k->columns, W, H, 1);
    window_means(squared, k->full, k->columns, W, H, 1);
}

/* the evidence of one row of the map, before the trust in the plate. rows: of the map, where each of the half-size
   planes has two alike: how the person differs, the noise, how much may speak for one, and how much counts. */
INLINE void weigh_row(const Work *k, i32 y, const u8 *restrict a, float *restrict kept, float *const rows[4]) {
    const Room *room = k->room;
    const Terms *t = k->t;
    const float per_change = 1.0f / t->change, per_dark = 1.0f / t->dark;
    const float per_middle = 1.0f / t->middle, per_alike = 1.0f / (t->alike_high - t->alike_low);
    const float noise_power = t->grain * t->grain + 1e-3f;
    const ptrdiff_t here = (ptrdiff_t)y * k->W;
    const float *restrict d = rows[0], *restrict s = rows[1], *restrict may = rows[2], *restrict counts = rows[3];
    const float *restrict likelihood = k->texture + here, *restrict square = k->full + here;
    const float *restrict ab = k->cross_mean + here, *restrict aa = k->own_mean + here;
    const float *restrict bb = room->power + here;
    const u8 *restrict b = room->y + here;
    INDEPENDENT
    for (i32 x = 0; x < k->W; x++) {
        float alpha = sqrtf(most_of(square[x] - s[x], 0.0f) / most_of(d[x] - s[x], t->least_person));
        float says = bounded((alpha - t->middle) * per_middle, -1.0f, 1.0f) * d[x] / (d[x] + t->half_at * s[x]);
        float textured = bb[x] / (bb[x] + t->textured);
        float alike = ab[x] / sqrtf(aa[x] * bb[x] + noise_power);
        float same = bounded((alike - t->alike_low) * per_alike, 0.0f, 1.0f) * textured;
        float against = -least_of(most_of(-likelihood[x], 0.0f), t->against + t->against_texture * textured);
        float speaks = t->for_one * says * may[x] * (1.0f - same);
        float found = ((says < 0.0f ? against : speaks) - t->same_texture * same * same) * counts[x];
        float now = (float)a[x], plate = (float)b[x];
        /* all that is black looks alike */
        found *= found < 0.0f ? bounded((most_of(now, plate) - t->clip_low) * per_dark, 0.0f, 1.0f) : 1.0f;
        /* what changes little is noise */
        float change = found - kept[x];
        found = kept[x] + change * bounded((change < 0.0f ? -change : change) * per_change, t->calm, 1.0f);
        float held = t->hold * kept[x];
        found = (says < 0.0f) & (likelihood[x] < 0.0f) & (held < found) ? held : found;
        /* both black, or both white */
        float clipped = most_of(t->clip_low - most_of(now, plate), least_of(now, plate) - t->clip_high);
        kept[x] = clipped > 0.0f ? 0.0f : found;
    }
}

/* the evidence of the whole map, in `kept` */
INLINE void weigh(const Work *k, const Plane *luma, float gate, float *kept) {
    const i32 w = k->w;
    float *const rows[4] = {k->row, k->other, k->columns, k->third};
    for (i32 y = 0; y < k->H; y++) {
        const ptrdiff_t at = (ptrdiff_t)(y / 2) * w;
        if (y % 2 == 0) {
            float *restrict d = rows[0], *restrict s = rows[1], *restrict may = rows[2], *restrict counts = rows[3];
            const u8 *known = k->room->known + at;
            INDEPENDENT
            for (i32 x = 0; x < w; x++) {
                float speaks = (1.0f - k->lit[at + x]) * k->close[at + x], count = known[x] ? gate : 0.0f;
                d[2 * x] = d[2 * x + 1] = k->person[at + x], s[2 * x] = s[2 * x + 1] = k->all_noise[at + x];
                may[2 * x] = may[2 * x + 1] = speaks, counts[2 * x] = counts[2 * x + 1] = count;
            }
        }
        weigh_row(k, y, row_of(luma, y), kept + (ptrdiff_t)y * k->W, rows);
    }
}

/* how far the plate is believed to be empty: less, the more of the person looks as it does; it comes back slowly */
INLINE float trust_of(const Terms *t, const float *restrict p, const float *restrict kept, i32 count, float before) {
    i32 sure = 0, alike = 0;
    for (i32 i = 0; i < count; i++) {
        i32 is = p[i] > t->person;
        sure += is, alike += is & (kept[i] < t->contradicts);
    }
    float now = 1.0f;
    if ((float)sure >= t->large * (float)count)
        now = bounded((t->too_much - (float)alike / (float)sure) / (t->too_much - t->usual), 0.0f, 1.0f);
    return least_of(now, before + t->recovery);
}

/* the map with the evidence added to its logit */
INLINE void correct(const Terms *t, const float *restrict p, const float *restrict kept, float trust,
                    float *restrict out, i32 count) {
    const float low = 1.0f / (1.0f + expf(t->most)), high = 1.0f - low;
    INDEPENDENT
    for (i32 i = 0; i < count; i++) {
        float evidence = trust * kept[i], was = p[i];
        float at = evidence < 0.0f ? least_of(was, high) : most_of(was, low);
        float odds = at * power_of_e(evidence), is = odds / (odds + 1.0f - at);
        out[i] = evidence == 0.0f ? was : is;
    }
}

#endif
