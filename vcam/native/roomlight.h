/* vcam/segment/emptyroom/light.py: how the room of now differs from the plate. */

#ifndef VCAM_ROOMLIGHT_H
#define VCAM_ROOMLIGHT_H

#include "cells.h"

/* A comparison's planes in the scratch memory: the texture, 81 times its level, of the map's size, and else of half of
   it. rows: of the map's width, with EDGE on either side. */
typedef struct {
    const Room *room;
    const Terms *t;
    i32 W, H, w, h, N, n;
    i16 *texture;
    float *residual[3], *noise[3], *drift, *person, *all_noise, *lit;
    float *colour, *likely, *spread_luma, *spread_chroma, *close;
    float *cell[6], *rows[ROWS];
    u8 *frame[3], *weight, *copy, *sure, *strange;
    i32 count;
} Work;

/* where the room is known and surely nobody is; returns how many pixels these are */
INLINE i32 find_room(const Room *room, const Terms *t, const float *p, u8 *restrict sure, u8 *restrict copy,
                     float *row) {
    const i32 width = room->width / 2, height = room->height / 2, reach = (t->guard + 1) / 2;
    u8 *padded = (u8 *)row;
    memset(padded, 0, (size_t)(width + 2 * EDGE));
    for (i32 y = 0; y < height; y++) {
        const float *a = p + (ptrdiff_t)4 * y * width, *b = a + 2 * width;
        u8 *restrict out = copy + (ptrdiff_t)y * width, *restrict middle = padded + EDGE;
        INDEPENDENT
        for (i32 x = 0; x < width; x++) {
            float highest = most_of(most_of(a[2 * x], a[2 * x + 1]), most_of(b[2 * x], b[2 * x + 1]));
            middle[x] = out[x] = highest > t->sure;
        }
        for (i32 i = 1; i <= reach; i++) {
            INDEPENDENT
            for (i32 x = 0; x < width; x++) out[x] |= middle[x - i] | middle[x + i];
        }
    }
    i32 count = 0;
    for (i32 y = 0; y < height; y++) {
        u8 *restrict out = sure + (ptrdiff_t)y * width;
        const u8 *known = room->known + (ptrdiff_t)y * width;
        memset(out, 0, (size_t)width);
        for (i32 i = -reach; i <= reach; i++) {
            const u8 *row = copy + (ptrdiff_t)clamped(y + i, height - 1) * width;
            INDEPENDENT
            for (i32 x = 0; x < width; x++) out[x] |= row[x];
        }
        INDEPENDENT
        for (i32 x = 0; x < width; x++) out[x] = !out[x] & (known[x] != 0);
        for (i32 x = 0; x < width; x++) count += out[x];
    }
    return count;
}

/* gain and offset by least squares; rows of the frame's plane lie apart */
INLINE void fit_line(const Terms *t, const u8 *plate, const u8 *frame, const u8 *weight, i32 count, float *gain,
                     float *offset) {
    uint64_t n = 0, sx = 0, sy = 0, sxx = 0, sxy = 0;
    for (i32 from = 0; from < count; from += 16384) {
        /* 32 bits hold the squares of so many samples */
        uint32_t c = 0, x = 0, y = 0, xx = 0, xy = 0;
        const i32 to = from + 16384 < count ? from + 16384 : count;
        for (i32 i = from; i < to; i++) {
            uint32_t k = weight[i], a = plate[i] * k, b = frame[i];
            c += k, x += a, y += b * k, xx += a * plate[i], xy += a * b;
        }
        n += c, sx += x, sy += y, sxx += xx, sxy += xy;
    }
    *gain = 1.0f, *offset = 0.0f;
    if (!n) return;
    const double share = 1.0 / (double)n, mx = (double)sx * share, my = (double)sy * share;
    const double spread = (double)sxx * share - mx * mx, shared = (double)sxy * share - mx * my;
    *gain = bounded((float)((shared + t->stiff) / (spread + t->stiff)), t->gain_low, t->gain_high);
    *offset = (float)(my - *gain * mx);
}

/* the frame's planes at half the map's size, dense */
INLINE void halve_planes(const Work *k, const Plane *luma, const Plane *cb, const Plane *cr) {
    const i32 w = k->w;
    for (i32 y = 0; y < k->h; y++) {
        const u8 *a = row_of(luma, 2 * y), *b = row_of(luma, 2 * y + 1);
        u8 *restrict to = k->frame[0] + (ptrdiff_t)y * w;
        INDEPENDENT
        for (i32 x = 0; x < w; x++) to[x] = (u8)((a[2 * x] + a[2 * x + 1] + b[2 * x] + b[2 * x + 1] + 2) >> 2);
        memcpy(k->frame[1] + (ptrdiff_t)y * w, row_of(cb, y), (size_t)w);
        memcpy(k->frame[2] + (ptrdiff_t)y * w, row_of(cr, y), (size_t)w);
    }
}

/* gain and offset, twice: the second time without what was moved; then the residuals */
INLINE void fit_light(const Work *k, float *told) {
    const Terms *t = k->t;
    const i32 n = k->n;
    const u8 *restrict p = k->room->half, *restrict q = k->room->u, *restrict r = k->room->v, *sure = k->sure;
    const u8 *restrict a = k->frame[0], *restrict b = k->frame[1], *restrict c = k->frame[2];
    const u8 *plate[3] = {p, q, r};
    u8 *restrict copy = k->copy, *restrict weight = k->weight;
    float g[3], o[3];
    for (i32 i = 0; i < 3; i++) fit_line(t, plate[i], k->frame[i], sure, n, g + i, o + i);
    INDEPENDENT
    for (i32 i = 0; i < n; i++) {
        const float dy = (float)a[i] - (g[0] * (float)p[i] + o[0]), du = (float)b[i] - (g[1] * (float)q[i] + o[1]);
        const float dv = (float)c[i] - (g[2] * (float)r[i] + o[2]);
        copy[i] = (u8)least_of(fabsf(dy) + fabsf(du) + fabsf(dv), 255.0f);
    }
    i32 counts[2][256] = {{0}}, median = 0, sum = 0;
    /* in turns: what was counted just now cannot be counted up at once */
    for (i32 i = 0; i < n; i++) counts[i & 1][copy[i]] += sure[i];
    while (median < 255 && 2 * (sum += counts[0][median] + counts[1][median]) < k->count) median++;
    const float top = t->medians * (float)median + t->levels;
    INDEPENDENT
    for (i32 i = 0; i < n; i++) weight[i] = sure[i] & ((float)copy[i] < top);
    for (i32 i = 0; i < 3; i++) {
        fit_line(t, plate[i], k->frame[i], weight, n, told + GAIN + i, told + OFFSET + i);
        const float gain = told[GAIN + i], offset = told[OFFSET + i];
        const u8 *restrict now = k->frame[i], *restrict was = plate[i];
        float *restrict rest = k->residual[i];
        INDEPENDENT
        for (i32 x = 0; x < n; x++) rest[x] = (float)now[x] - (gain * (float)was[x] + offset);
    }
}

/* luma less the mean of its window of 9, one row of it, from the sums of its columns */
INLINE void texture_row(const u8 *restrict luma, u16 *restrict sum, i16 *restrict to, i32 width) {
    for (i32 i = 1; i <= PASS; i++) sum[-i] = sum[0], sum[width - 1 + i] = sum[width - 1];
    INDEPENDENT
    for (i32 x = 0; x < width; x++)
        to[x] = (i16)(u16)(81 * luma[x] - (sum[x - 4] + sum[x - 3] + sum[x - 2] + sum[x - 1] + sum[x] + sum[x + 1] +
                                           sum[x + 2] + sum[x + 3] + sum[x + 4]));
}

/* how far the textures agree, and is believed to; returns the gate */
INLINE float agreement_of(const Work *k, const Plane *luma, float *told) {
    const Terms *t = k->t;
    const i32 W = k->W, w = k->w, last = k->H - 1;
    u16 *restrict sum = (u16 *)k->rows[0];
    float *restrict is = k->rows[1], *restrict cross = k->rows[2], *restrict own = k->rows[3], *restrict plate = k->rows[4];
    for (i32 x = 0; x < W; x++) sum[x] = 0, cross[x] = own[x] = plate[x] = 0.0f;
    for (i32 i = -PASS; i <= PASS; i++) {
        const u8 *row = row_of(luma, clamped(i, last));
        INDEPENDENT
        for (i32 x = 0; x < W; x++) sum[x] += row[x];
    }
    for (i32 y = 0; y <= last; y++) {
        i16 *restrict a = k->texture + (ptrdiff_t)y * W;
        const float *restrict b = k->room->texture + (ptrdiff_t)y * W;
        const u8 *where = k->sure + (ptrdiff_t)(y / 2) * w;
        texture_row(row_of(luma, y), sum, a, W);
        const u8 *next = row_of(luma, clamped(y + PASS + 1, last)), *gone = row_of(luma, clamped(y - PASS, last));
        INDEPENDENT
        for (i32 x = 0; x < W; x++) sum[x] += (u16)(next[x] - gone[x]);
        if (y % 2 == 0)
            for (i32 x = 0; x < w; x++) is[2 * x] = is[2 * x + 1] = (float)where[x];
        INDEPENDENT
        for (i32 x = 0; x < W; x++) {
            const float mine = is[x] * (float)a[x], theirs = is[x] * b[x];
            cross[x] += mine * theirs, own[x] += mine * mine, plate[x] += theirs * theirs;
        }
    }
    double sum_cross = 0, sum_own = 0, sum_plate = 0;
    for (i32 x = 0; x < W; x++) sum_cross += cross[x], sum_own += own[x], sum_plate += plate[x];
    const double grain = (double)t->grain * 4 * k->count;
    told[AGREEMENT] = (float)((sum_cross / 81 + grain) / (sqrt(sum_own * sum_plate) / 81 + grain));
    const float belief = bounded((told[AGREEMENT] - t->doubt) / (t->belief - t->doubt), 0.0f, 1.0f);
    const float before = told[BELIEVED] < 0.0f ? belief : told[BELIEVED];
    told[BELIEVED] = before + t->slowly * (belief - before);
    return told[GATE] = least_of(belief, told[BELIEVED]);
}

/* what the light has done in cells, taken from the residuals */
INLINE void take_drift(const Work *k) {
    const i32 w = k->w, h = k->h, n = k->n;
    const i32 across = cells_of(w, CELL), down = cells_of(h, CELL), coarse = across * down;
    const float faint = k->t->faint * 9 * CELL * CELL;
    /* the weight, the sure room, and the residuals by their weight */
    float *cells[5] = {k->cell[0], k->cell[1], k->cell[2], k->cell[3], k->cell[4]}, *copied = k->cell[5];
    float *restrict a = k->rows[0], *restrict b = k->rows[1], *restrict c = k->rows[2], *restrict d = k->rows[3];
    float *restrict e = k->rows[4];
    for (i32 row = 0; row < down; row++) {
        for (i32 x = 0; x < w; x++) a[x] = b[x] = c[x] = d[x] = e[x] = 0.0f;
        const i32 end = row * CELL + CELL < h ? row * CELL + CELL : h;
        for (i32 y = row * CELL; y < end; y++) {
            const ptrdiff_t at = (ptrdiff_t)y * w;
            const u8 *restrict weight = k->weight + at, *restrict sure = k->sure + at;
            const float *restrict ry = k->residual[0] + at, *restrict ru = k->residual[1] + at;
            const float *restrict rv = k->residual[2] + at;
            INDEPENDENT
            for (i32 x = 0; x < w; x++) {
                const float by = (float)weight[x];
                a[x] += by, b[x] += (float)sure[x], c[x] += by * ry[x], d[x] += by * ru[x], e[x] += by * rv[x];
            }
        }
        const float *sums[5] = {a, b, c, d, e};
        for (i32 i = 0; i < 5; i++) fold_columns(sums[i], cells[i] + row * across, w, CELL);
    }
    for (i32 i = 0; i < 5; i++) sum_around(cells[i], copied, across, down);
    for (i32 p = 0; p < 3; p++) {
        float *restrict r = k->residual[p], *restrict drift = k->drift + (ptrdiff_t)p * n, *values = cells[2 + p];
        for (i32 i = 0; i < coarse; i++) values[i] /= cells[0][i] + faint;
        spread_cells(values, drift, k->rows[0], w, h, CELL);
        INDEPENDENT
        for (i32 i = 0; i < n; i++) r[i] -= drift[i];
    }
}

/* a row of the residual of luma at the map's size */
INLINE void residual_row(const Work *k, const Plane *luma, const float *told, i32 y, float *restrict r) {
    const float gain = told[GAIN], offset = told[OFFSET];
    const u8 *restrict a = row_of(luma, y), *restrict b = k->room->y + (ptrdiff_t)y * k->W;
    const float *restrict drift = k->drift + (ptrdiff_t)(y / 2) * k->w;
    INDEPENDENT
    for (i32 x = 0; x < k->w; x++) {
        r[2 * x] = (float)a[2 * x] - (gain * (float)b[2 * x] + offset) - drift[x];
        r[2 * x + 1] = (float)a[2 * x + 1] - (gain * (float)b[2 * x + 1] + offset) - drift[x];
    }
}

/* the noise of the three planes, in cells; `take_drift` has left how much of the room is in each */
INLINE void find_noise(const Work *k, const Plane *luma, const float *told) {
    const Room *room = k->room;
    const Terms *t = k->t;
    const i32 w = k->w, h = k->h;
    const i32 across = cells_of(w, CELL), down = cells_of(h, CELL), coarse = across * down;
    const float faint = t->faint * 9 * CELL * CELL, *in_room = k->cell[1], slipped = t->slipped, loudest = t->loudest;
    float *cells[3] = {k->cell[2], k->cell[3], k->cell[4]}, *copied = k->cell[5];
    float *restrict one = k->rows[0], *restrict two = k->rows[1];
    float *restrict sy = k->rows[2], *restrict su = k->rows[3], *restrict sv = k->rows[4];
    for (i32 row = 0; row < down; row++) {
        for (i32 x = 0; x < w; x++) sy[x] = su[x] = sv[x] = 0.0f;
        const i32 end = row * CELL + CELL < h ? row * CELL + CELL : h;
        for (i32 y = row * CELL; y < end; y++) {
            const ptrdiff_t at = (ptrdiff_t)y * w;
            const u8 *restrict where = k->sure + at;
            const float *restrict gy = room->slope_half + at, *restrict gu = room->slope_u + at;
            const float *restrict gv = room->slope_v + at;
            const float *restrict ru = k->residual[1] + at, *restrict rv = k->residual[2] + at;
            residual_row(k, luma, told, 2 * y, one);
            residual_row(k, luma, told, 2 * y + 1, two);
            INDEPENDENT
            for (i32 x = 0; x < 2 * w; x++)
                one[x] = least_of(one[x] * one[x], loudest) + least_of(two[x] * two[x], loudest);
            INDEPENDENT
            for (i32 x = 0; x < w; x++) {
                const float is = (float)where[x], mean = 0.25f * (one[2 * x] + one[2 * x + 1]);
                sy[x] += is * most_of(mean - slipped * gy[x], 0.0f);
                su[x] += is * most_of(least_of(ru[x] * ru[x], loudest) - slipped * gu[x], 0.0f);
                sv[x] += is * most_of(least_of(rv[x] * rv[x], loudest) - slipped * gv[x], 0.0f);
            }
        }
        const float *sums[3] = {sy, su, sv};
        for (i32 i = 0; i < 3; i++) fold_columns(sums[i], cells[i] + row * across, w, CELL);
    }
    const float floors[3] = {t->floor_y, t->floor_u, t->floor_v};
    for (i32 c = 0; c < 3; c++) {
        float sum = 0.0f, *values = cells[c];
        for (i32 i = 0; i < coarse; i++) sum += values[i];
        sum_around(values, copied, across, down);
        const float mean = sum / (float)k->count;
        for (i32 i = 0; i < coarse; i++)
            values[i] = most_of((values[i] + faint * mean) / (in_room[i] + faint), floors[c]);
        spread_cells(values, k->noise[c], k->rows[0], w, h, CELL);
    }
}

#endif
