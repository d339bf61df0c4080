/* vcam/segment/emptyroom/evidence.py: what the plate says of each pixel. */

#ifndef VCAM_ROOMEVIDENCE_H
#define VCAM_ROOMEVIDENCE_H

#include "roomlight.h"

/* how the person nearby differs from the room, in finer cells */
INLINE void find_person(const Work *k, const float *p) {
    const Terms *t = k->t;
    const i32 w = k->w, h = k->h, W = k->W;
    const i32 across = cells_of(w, NEAR), down = cells_of(h, NEAR), fine = across * down;
    float *number = k->cell[0], *of_luma = k->cell[1], *of_chroma = k->cell[2], *mixed = k->cell[4], *copied = k->cell[3];
    float *restrict count = k->rows[0], *restrict sy = k->rows[1], *restrict sc = k->rows[2];
    for (i32 row = 0; row < down; row++) {
        for (i32 x = 0; x < w; x++) count[x] = sy[x] = sc[x] = 0.0f;
        const i32 end = row * NEAR + NEAR < h ? row * NEAR + NEAR : h;
        for (i32 y = row * NEAR; y < end; y++) {
            const float *restrict a = p + (ptrdiff_t)2 * y * W, *restrict b = a + W;
            const ptrdiff_t at = (ptrdiff_t)y * w;
            const float *restrict ry = k->residual[0] + at, *restrict ru = k->residual[1] + at;
            const float *restrict rv = k->residual[2] + at;
            INDEPENDENT
            for (i32 x = 0; x < w; x++) {
                float lowest = least_of(least_of(a[2 * x], a[2 * x + 1]), least_of(b[2 * x], b[2 * x + 1]));
                float is = lowest > t->person ? 1.0f : 0.0f;
                count[x] += is, sy[x] += is * ry[x] * ry[x];
                sc[x] += is * 0.5f * (ru[x] * ru[x] + rv[x] * rv[x]);
            }
        }
        fold_columns(count, number + row * across, w, NEAR);
        fold_columns(sy, of_luma + row * across, w, NEAR);
        fold_columns(sc, of_chroma + row * across, w, NEAR);
    }
    const float weak = t->prior_weight * 9 * NEAR * NEAR;
    sum_around(number, copied, across, down);
    sum_around(of_luma, copied, across, down);
    sum_around(of_chroma, copied, across, down);
    for (i32 i = 0; i < fine; i++) {
        float a = (of_luma[i] + weak * t->prior_luma) / (number[i] + weak);
        float b = (of_chroma[i] + weak * t->prior_chroma) / (number[i] + weak);
        mixed[i] = t->luma * a + 2 * t->chroma * b;
        of_luma[i] = least_of(a * t->spread, 4 * t->prior_luma);
        of_chroma[i] = least_of(b * t->spread, 4 * t->prior_chroma);
        number[i] = least_of(number[i] / t->close, 1.0f);
    }
    spread_cells(mixed, k->person, k->rows[0], w, h, NEAR);
    spread_cells(of_luma, k->spread_luma, k->rows[0], w, h, NEAR);
    spread_cells(of_chroma, k->spread_chroma, k->rows[0], w, h, NEAR);
    spread_cells(number, k->close, k->rows[0], w, h, NEAR);
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
    const i32 found = any;
    /* until nothing is added */
    for (i32 i = 0; any && i < t->reach; i++) {
        u8 *before = k->frame[0], more = 0;
        memcpy(before, strange, (size_t)n);
        dilate(strange, copy, w, h);
        INDEPENDENT
        for (i32 x = 0; x < n; x++) strange[x] &= differs[x], more |= strange[x] ^ before[x];
        any = more;
    }
    if (found) {
        dilate(strange, copy, w, h);
        INDEPENDENT
        for (i32 i = 0; i < n; i++) lit[i] = strange[i] ? 1.0f : lit[i];
    }
}

/* Rows of the map at work. Sums of columns: of the products of the textures and of the frame's squares; the likelihood and
   the squared difference of the rows above, here and below. Of each two rows: the noise, what alpha is divided by, how
   much alpha says, how much may speak for one, and how much counts. */
typedef struct {
    float *cross, *own, *likelihood[3], *squares[3], *l, *s;
    float *noise, *per, *says, *may, *counts;
} Rows;

/* likelihood and differences of a row */
INLINE void difference_row(const Work *k, const Plane *luma, const float *told, i32 y, float *row, float *other, float *rest,
                           float *restrict to, float *restrict square) {
    const Room *room = k->room;
    const Terms *t = k->t;
    const i32 w = k->w, near = y / 2, far = clamped(y % 2 ? near + 1 : near - 1, k->h - 1);
    const float *restrict la = k->likely + (ptrdiff_t)near * w, *restrict lb = k->likely + (ptrdiff_t)far * w;
    const float *restrict ca = k->colour + (ptrdiff_t)near * w, *restrict cb_ = k->colour + (ptrdiff_t)far * w;
    const float *restrict ny = k->noise[0] + (ptrdiff_t)near * w, *restrict fy = k->spread_luma + (ptrdiff_t)near * w;
    const float *restrict steep = room->slope_y + (ptrdiff_t)y * k->W, *restrict r = rest;
    float *restrict l = row, *restrict c = other;
    const float slipped = t->slipped, loudest = t->loudest_sum;
    residual_row(k, luma, told, y, rest);
    INDEPENDENT
    for (i32 x = 0; x < w; x++) l[x] = 0.75f * la[x] + 0.25f * lb[x], c[x] = 0.75f * ca[x] + 0.25f * cb_[x];
    l[-1] = l[0], l[w] = l[w - 1], c[-1] = c[0], c[w] = c[w - 1];
    INDEPENDENT
    for (i32 x = 0; x < w; x++) {
        float first = r[2 * x] * r[2 * x], second = r[2 * x + 1] * r[2 * x + 1], f = fy[x];
        float s = ny[x] + slipped * steep[2 * x], z = ny[x] + slipped * steep[2 * x + 1];
        /* 1 / s - 1 / (s + f) */
        float left = 0.75f * l[x] + 0.25f * l[x - 1] + 0.5f * first * f / (s * (s + f));
        float right = 0.75f * l[x] + 0.25f * l[x + 1] + 0.5f * second * f / (z * (z + f));
        to[2 * x] = bounded(left, -loudest, loudest), to[2 * x + 1] = bounded(right, -loudest, loudest);
        square[2 * x] = first + 0.75f * c[x] + 0.25f * c[x - 1];
        square[2 * x + 1] = second + 0.75f * c[x] + 0.25f * c[x + 1];
    }
}

/* textures of a row into the sums of columns, and those of another out of them */
INLINE void exchange_texture(const Work *k, i32 come, i32 gone, const Rows *rows) {
    const ptrdiff_t at = (ptrdiff_t)come * k->W, was = (ptrdiff_t)gone * k->W;
    const i16 *restrict a = k->texture + at, *restrict c = k->texture + was;
    const float *restrict b = k->room->texture + at, *restrict d = k->room->texture + was;
    float *restrict cross = rows->cross, *restrict own = rows->own;
    INDEPENDENT
    for (i32 x = 0; x < k->W; x++) {
        const float in = (float)a[x], out = (float)c[x];
        cross[x] += in * b[x] - out * d[x], own[x] += in * in - out * out;
    }
}

INLINE float seven(const float *sum) { return sum[-3] + sum[-2] + sum[-1] + sum[0] + sum[1] + sum[2] + sum[3]; }
INLINE float three(const float *sum) { return sum[-1] + sum[0] + sum[1]; }

/* How many pixels of the map are surely the person, and how many of these look as the plate does. */
typedef struct {
    i32 all, alike;
} Sure;

/* the evidence of one row of the map, before the trust in the plate */
INLINE Sure weigh_row(const Work *k, i32 y, const u8 *restrict a, const float *restrict p, float *restrict kept,
                      const Rows *rows) {
    const Room *room = k->room;
    const Terms t = *k->t;
    const float per_middle = 1.0f / t.middle, per_alike = 1.0f / (t.alike_high - t.alike_low);
    const float per_change = 1.0f / t.change, per_dark = 1.0f / t.dark;
    const float noise_power = t.grain * t.grain + 1e-3f;
    const float of_nine = 1.0f / 9.0f, of_cross = 1.0f / (49.0f * 81.0f), of_own = 1.0f / (49.0f * 81.0f * 81.0f);
    const ptrdiff_t here = (ptrdiff_t)y * k->W;
    const float *restrict n = rows->noise, *restrict per = rows->per, *restrict may = rows->may;
    const float *restrict far = rows->says, *restrict counts = rows->counts;
    const float *restrict l = rows->l, *restrict s = rows->s, *restrict cross = rows->cross, *restrict own = rows->own;
    const float *restrict bb = room->power + here;
    const u8 *restrict b = room->y + here;
    i32 all = 0, contradicted = 0;
    INDEPENDENT
    for (i32 x = 0; x < k->W; x++) {
        float alpha = sqrtf(most_of(of_nine * three(s + x) - n[x], 0.0f) * per[x]), likelihood = of_nine * three(l + x);
        float says = bounded((alpha - t.middle) * per_middle, -1.0f, 1.0f) * far[x];
        float textured = bb[x] / (bb[x] + t.textured);
        float alike = of_cross * seven(cross + x) / sqrtf(of_own * seven(own + x) * bb[x] + noise_power);
        float same = bounded((alike - t.alike_low) * per_alike, 0.0f, 1.0f) * textured;
        float against = -least_of(most_of(-likelihood, 0.0f), t.against + t.against_texture * textured);
        float speaks = t.for_one * says * may[x] * (1.0f - same);
        float found = ((says < 0.0f ? against : speaks) - t.same_texture * same * same) * counts[x];
        float now = (float)a[x], plate = (float)b[x];
        /* all that is black looks alike */
        found *= found < 0.0f ? bounded((most_of(now, plate) - t.clip_low) * per_dark, 0.0f, 1.0f) : 1.0f;
        /* what changes little is noise */
        float change = found - kept[x];
        found = kept[x] + change * bounded((change < 0.0f ? -change : change) * per_change, t.calm, 1.0f);
        float held = t.hold * kept[x];
        found = (says < 0.0f) & (likelihood < 0.0f) & (held < found) ? held : found;
        /* both black, or both white */
        float clipped = most_of(t.clip_low - most_of(now, plate), least_of(now, plate) - t.clip_high);
        found = clipped > 0.0f ? 0.0f : found;
        kept[x] = found;
        i32 is = p[x] > t.person;
        all += is, contradicted += is & (found < t.contradicts);
    }
    return (Sure){all, contradicted};
}

/* what holds for two rows of the map each */
INLINE void prepare_rows(const Work *k, i32 y, float gate, const Rows *rows) {
    const ptrdiff_t at = (ptrdiff_t)y * k->w;
    const float *restrict person = k->person + at, *restrict noise = k->all_noise + at, *restrict lit = k->lit + at;
    const float *restrict close = k->close + at, half_at = k->t->half_at, least = k->t->least_person;
    const u8 *restrict known = k->room->known + at;
    float *restrict n = rows->noise, *restrict per = rows->per, *restrict far = rows->says, *restrict may = rows->may;
    float *restrict counts = rows->counts;
    INDEPENDENT
    for (i32 x = 0; x < k->w; x++) {
        const float d = person[x], s = noise[x];
        n[2 * x] = n[2 * x + 1] = s, per[2 * x] = per[2 * x + 1] = 1.0f / most_of(d - s, least);
        far[2 * x] = far[2 * x + 1] = d / (d + half_at * s);
        may[2 * x] = may[2 * x + 1] = (1.0f - lit[x]) * close[x];
        counts[2 * x] = counts[2 * x + 1] = known[x] ? gate : 0.0f;
    }
}

INLINE void add_three(const float *restrict a, const float *restrict b, const float *restrict c, float *restrict to,
                      i32 width) {
    INDEPENDENT
    for (i32 x = 0; x < width; x++) to[x] = a[x] + b[x] + c[x];
    repeat_ends(to, width, 1);
}

/* the evidence of the whole map, in `kept`, row by row, so that what it is made of stays in the caches */
INLINE Sure weigh(const Work *k, const Plane *luma, const float *told, const float *p, float *kept) {
    float *const *r = k->rows;
    const Rows rows = {r[0], r[1], {r[2], r[3], r[4]}, {r[5], r[6], r[7]}, r[8], r[9], r[10], r[11], r[12], r[13], r[14]};
    const i32 W = k->W, last = k->H - 1;
    Sure sure = {0, 0};
    for (i32 x = 0; x < W; x++) rows.cross[x] = rows.own[x] = 0.0f;
    for (i32 i = -WINDOW; i <= WINDOW; i++) {
        const ptrdiff_t at = (ptrdiff_t)clamped(i, last) * W;
        const i16 *restrict a = k->texture + at;
        const float *restrict b = k->room->texture + at;
        INDEPENDENT
        for (i32 x = 0; x < W; x++) {
            const float in = (float)a[x];
            rows.cross[x] += in * b[x], rows.own[x] += in * in;
        }
    }
    for (i32 y = 0; y <= last; y++) {
        const i32 up = y ? y - 1 : 0, down = y < last ? y + 1 : last;
        /* the rows of their sums are free until they are summed */
        if (y == 0) difference_row(k, luma, told, 0, rows.l, rows.s, r[15], rows.likelihood[0], rows.squares[0]);
        if (y < last)
            difference_row(k, luma, told, down, rows.l, rows.s, r[15], rows.likelihood[down % 3], rows.squares[down % 3]);
        add_three(rows.likelihood[up % 3], rows.likelihood[y % 3], rows.likelihood[down % 3], rows.l, W);
        add_three(rows.squares[up % 3], rows.squares[y % 3], rows.squares[down % 3], rows.s, W);
        repeat_ends(rows.cross, W, WINDOW), repeat_ends(rows.own, W, WINDOW);
        if (y % 2 == 0) prepare_rows(k, y / 2, told[GATE], &rows);
        const ptrdiff_t at = (ptrdiff_t)y * W;
        const Sure more = weigh_row(k, y, row_of(luma, y), p + at, kept + at, &rows);
        sure.all += more.all, sure.alike += more.alike;
        exchange_texture(k, clamped(y + WINDOW + 1, last), clamped(y - WINDOW, last), &rows);
    }
    return sure;
}

/* how far the plate is believed to be empty: less, the more of the person looks as it does; it comes back slowly */
INLINE float trust_of(const Terms *t, Sure sure, i32 count, float before) {
    float now = 1.0f;
    if ((float)sure.all >= t->large * (float)count)
        now = bounded((t->too_much - (float)sure.alike / (float)sure.all) / (t->too_much - t->usual), 0.0f, 1.0f);
    return least_of(now, before + t->recovery);
}

/* the map with the evidence added to its logit; out: that of the frame before, and then of this one */
INLINE void correct(const Terms *t, const float *restrict p, const float *restrict kept, float trust,
                    float *restrict out, i32 count) {
    const float per_ghost = 1.0f / t->ghost, steady = t->steady;
    const float low = 1.0f / (1.0f + (float)exact_power_of_e(t->most)), high = 1.0f - low;
    INDEPENDENT
    for (i32 i = 0; i < count; i++) {
        float evidence = trust * kept[i], was = p[i];
        float at = evidence < 0.0f ? least_of(was, high) : most_of(was, low);
        float odds = at * power_of_e(evidence), is = odds / (odds + 1.0f - at), change = is - out[i];
        float slow = bounded(evidence * per_ghost, 0.0f, 1.0f) * (1.0f - most_of(change, steady));
        is = change > 0.0f ? is - slow * change : is;
        out[i] = evidence == 0.0f ? was : is;
    }
}

#endif
