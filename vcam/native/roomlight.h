/* vcam/segment/emptyroom/light.py: how the room of now differs from the plate. */

#ifndef VCAM_ROOMLIGHT_H
#define VCAM_ROOMLIGHT_H

#include "cells.h"

/* A comparison's planes in the scratch memory. Those of the map's size first; `first` to `third` serve twice. */
typedef struct {
    const Room *room;
    const Terms *t;
    i32 W, H, w, h, N, n;
    float *texture, *cross, *own, *full, *sums, *squared, *cross_mean, *own_mean;
    float *residual[3], *noise[3], *drift, *person, *all_noise, *lit;
    float *temporary, *there, *colour, *likely, *spread_luma, *spread_chroma, *close, *squares;
    float *cell[6], *columns, *row, *other, *third;
    u8 *frame[3], *weight, *copy, *sure, *strange;
    i32 count;
} Work;

/* where the room is known and surely nobody is; returns how many pixels these are */
INLINE i32 find_room(const Room *room, const Terms *t, const float *p, u8 *restrict sure, u8 *restrict copy,
                     float *columns) {
    const i32 width = room->width / 2, height = room->height / 2, reach = (t->guard + 1) / 2;
    u8 *padded = (u8 *)columns;
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
    const u8 *plate[3] = {k->room->half, k->room->u, k->room->v}, *weights = k->sure, *sure = k->sure;
    u8 *restrict copy = k->copy, *restrict weight = k->weight;
    for (i32 again = 0; again < 2; again++) {
        for (i32 c = 0; c < 3; c++) {
            fit_line(t, plate[c], k->frame[c], weights, n, told + GAIN + c, told + OFFSET + c);
            const float gain = told[GAIN + c], offset = told[OFFSET + c];
            const u8 *restrict a = k->frame[c], *restrict b = plate[c];
            float *restrict r = k->residual[c];
            INDEPENDENT
            for (i32 i = 0; i < n; i++) r[i] = (float)a[i] - (gain * (float)b[i] + offset);
        }
        if (again) break;
        i32 counts[256] = {0}, median = 0, sum = 0;
        const float *a = k->residual[0], *b = k->residual[1], *c = k->residual[2];
        INDEPENDENT
        for (i32 i = 0; i < n; i++) copy[i] = (u8)least_of(fabsf(a[i]) + fabsf(b[i]) + fabsf(c[i]), 255.0f);
        for (i32 i = 0; i < n; i++) counts[copy[i]] += sure[i];
        while (median < 255 && 2 * (sum += counts[median]) < k->count) median++;
        const float top = t->medians * (float)median + t->levels;
        INDEPENDENT
        for (i32 i = 0; i < n; i++) weight[i] = sure[i] & ((float)copy[i] < top);
        weights = weight;
    }
}

/* how far the textures agree, and is believed to; returns the gate */
INLINE float agreement_of(const Work *k, const Plane *luma, float *told) {
    const Room *room = k->room;
    const Terms *t = k->t;
    const i32 W = k->W, w = k->w;
    float *mine = k->texture;
    const u8 *sure = k->sure;
    texture_of(luma, mine, k->columns);
    double sum_cross = 0, sum_own = 0, sum_plate = 0;
    for (i32 y = 0; y < k->H; y++) {
        const float *restrict a = mine + (ptrdiff_t)y * W, *restrict b = room->texture + (ptrdiff_t)y * W;
        float *restrict ab = k->cross + (ptrdiff_t)y * W, *restrict aa = k->own + (ptrdiff_t)y * W;
        const u8 *where = sure + (ptrdiff_t)(y / 2) * w;
        float lanes[3][16] = {{0}};
        INDEPENDENT
        for (i32 x = 0; x < W; x++) ab[x] = a[x] * b[x], aa[x] = a[x] * a[x];
        for (i32 x = 0; x + 16 <= W; x += 16)
            for (i32 i = 0; i < 16; i++) {
                float is = (float)where[(x + i) / 2];
                lanes[0][i] += is * ab[x + i], lanes[1][i] += is * aa[x + i], lanes[2][i] += is * b[x + i] * b[x + i];
            }
        for (i32 x = W / 16 * 16; x < W; x++) {
            float is = (float)where[x / 2];
            lanes[0][0] += is * ab[x], lanes[1][0] += is * aa[x], lanes[2][0] += is * b[x] * b[x];
        }
        for (i32 i = 0; i < 16; i++) sum_cross += lanes[0][i], sum_own += lanes[1][i], sum_plate += lanes[2][i];
    }
    const double grain = (double)t->grain * 4 * k->count;
    told[AGREEMENT] = (float)((sum_cross + grain) / (sqrt(sum_own * sum_plate) + grain));
    const float belief = bounded((told[AGREEMENT] - t->doubt) / (t->belief - t->doubt), 0.0f, 1.0f);
    const float last = told[BELIEVED] < 0.0f ? belief : told[BELIEVED];
    told[BELIEVED] = last + t->slowly * (belief - last);
    return told[GATE] = least_of(belief, told[BELIEVED]);
}

/* what the light has done in cells, taken from the residuals; and the residual of luma at the map's size */
INLINE void take_drift(const Work *k, const Plane *luma, const float *told) {
    const Room *room = k->room;
    const i32 w = k->w, h = k->h, n = k->n, W = k->W;
    const u8 *weight = k->weight, *sure = k->sure;
    const i32 across = cells_of(w, CELL), down = cells_of(h, CELL), coarse = across * down;
    const float faint = k->t->faint * 9 * CELL * CELL;
    float *in_weight = k->cell[0], *in_room = k->cell[1], *values = k->cell[2], *copied = k->cell[3];
    float *temporary = k->temporary;
    INDEPENDENT
    for (i32 i = 0; i < n; i++) temporary[i] = (float)weight[i];
    sum_cells(temporary, in_weight, w, h, CELL);
    sum_around(in_weight, copied, across, down);
    INDEPENDENT
    for (i32 i = 0; i < n; i++) temporary[i] = (float)sure[i];
    sum_cells(temporary, in_room, w, h, CELL);
    sum_around(in_room, copied, across, down);
    for (i32 c = 0; c < 3; c++) {
        float *restrict r = k->residual[c], *restrict drift = k->drift + (ptrdiff_t)c * n;
        INDEPENDENT
        for (i32 i = 0; i < n; i++) temporary[i] = (float)weight[i] * r[i];
        sum_cells(temporary, values, w, h, CELL);
        sum_around(values, copied, across, down);
        for (i32 i = 0; i < coarse; i++) values[i] /= in_weight[i] + faint;
        spread_cells(values, drift, k->row, w, h, CELL);
        INDEPENDENT
        for (i32 i = 0; i < n; i++) r[i] -= drift[i];
    }
    for (i32 y = 0; y < k->H; y++) {
        const float gain = told[GAIN], offset = told[OFFSET];
        const u8 *restrict a = row_of(luma, y), *restrict b = room->y + (ptrdiff_t)y * W;
        const float *restrict drift = k->drift + (ptrdiff_t)(y / 2) * w;
        float *restrict r = k->full + (ptrdiff_t)y * W;
        INDEPENDENT
        for (i32 x = 0; x < W; x++) r[x] = (float)a[x] - (gain * (float)b[x] + offset) - drift[x / 2];
    }
}

/* the noise of the three planes, in cells; `take_drift` has left how much of the room is in each */
INLINE void find_noise(const Work *k) {
    const Room *room = k->room;
    const Terms *t = k->t;
    const i32 w = k->w, h = k->h, n = k->n, W = k->W;
    const u8 *sure = k->sure;
    const i32 across = cells_of(w, CELL), down = cells_of(h, CELL), coarse = across * down;
    const float faint = t->faint * 9 * CELL * CELL, *full = k->full, *in_room = k->cell[1];
    float *values = k->cell[2], *copied = k->cell[3], *temporary = k->temporary;
    const float floors[3] = {t->floor_y, t->floor_u, t->floor_v}, *slopes[3] = {0, room->slope_u, room->slope_v};
    for (i32 c = 0; c < 3; c++) {
        if (c) {
            const float *restrict r = k->residual[c], *restrict steep = slopes[c];
            INDEPENDENT
            for (i32 i = 0; i < n; i++)
                temporary[i] = (float)sure[i] * most_of(least_of(r[i] * r[i], t->loudest) - t->slipped * steep[i], 0.0f);
        } else
            for (i32 y = 0; y < h; y++) {
                const float *restrict a = full + (ptrdiff_t)2 * y * W, *restrict b = a + W;
                const float *restrict g = room->slope_y + (ptrdiff_t)2 * y * W, *restrict l = g + W;
                const u8 *where = sure + (ptrdiff_t)y * w;
                float *restrict to = temporary + (ptrdiff_t)y * w;
                INDEPENDENT
                for (i32 x = 0; x < w; x++) {
                    float one = least_of(a[2 * x] * a[2 * x], t->loudest);
                    float two = least_of(a[2 * x + 1] * a[2 * x + 1], t->loudest);
                    float three = least_of(b[2 * x] * b[2 * x], t->loudest);
                    float four = least_of(b[2 * x + 1] * b[2 * x + 1], t->loudest);
                    float steep = g[2 * x] + g[2 * x + 1] + l[2 * x] + l[2 * x + 1];
                    float mean = 0.25f * (one + two + three + four - t->slipped * steep);
                    to[x] = (float)where[x] * most_of(mean, 0.0f);
                }
            }
        sum_cells(temporary, values, w, h, CELL);
        float sum = 0.0f;
        for (i32 i = 0; i < coarse; i++) sum += values[i];
        sum_around(values, copied, across, down);
        const float mean = sum / (float)k->count;
        for (i32 i = 0; i < coarse; i++)
            values[i] = most_of((values[i] + faint * mean) / (in_room[i] + faint), floors[c]);
        spread_cells(values, k->noise[c], k->row, w, h, CELL);
    }
}

#endif
