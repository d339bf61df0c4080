/* vcam/segment/emptyroom/light.py and vcam/segment/emptyroom/evidence.py */

#include "cells.h"

/* ---- light ------------------------------------------------------------------------------------------------------ */

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

/* ---- all of it -------------------------------------------------------------------------------------------------- */

/* How many numbers of four bytes vcam_room needs. */
EXPORT_ONE ptrdiff_t vcam_room_scratch(i32 width, i32 height) {
    const ptrdiff_t all = (ptrdiff_t)width * height, quarter = all / 4;
    const ptrdiff_t cells = (ptrdiff_t)cells_of(width / 2, NEAR) * cells_of(height / 2, NEAR);
    return 8 * all + 12 * quarter + 6 * cells + 4 * ((ptrdiff_t)width + 2 * EDGE) + (5 * quarter) / 4 + 64;
}

/* The corrected map, `out`, of p; both dense. before: the evidence of the last frame, and then of this; found: FOUND
   planes and told: TOLD numbers, whose BELIEVED is that of the last frame, below 0 if there was none. strange, sure: of
   half the size. Planes of the frame: y of the map's size, u and v of half of it. Where nothing can be told `out` is p,
   and the gate 0. */
EXPORT void vcam_room(const Room *room, const Terms *t, const float *restrict p, const Plane *luma, const Plane *cb,
                      const Plane *cr, float *restrict before, float *restrict out, float *found, u8 *strange, u8 *sure,
                      float *told, float *scratch) {
    const i32 W = room->width, H = room->height, w = W / 2, h = H / 2, N = W * H, n = w * h;
    float *map[8], *half[12], *cell[6];
    for (i32 i = 0; i < 8; i++, scratch += N) map[i] = scratch;
    for (i32 i = 0; i < 12; i++, scratch += n) half[i] = scratch;
    const i32 fine_across = cells_of(w, NEAR), fine_down = cells_of(h, NEAR), fine = fine_across * fine_down;
    for (i32 i = 0; i < 6; i++, scratch += fine) cell[i] = scratch;
    float *columns = scratch, *row = columns + W + 2 * EDGE, *other = row + W + 2 * EDGE, *third = other + W + 2 * EDGE;
    u8 *bytes = (u8 *)(third + W + 2 * EDGE), *y_half = bytes, *u = bytes + n, *v = u + n, *weight = v + n;
    u8 *copy = weight + n;
    memcpy(out, p, sizeof(float) * (size_t)N);
    const i32 count = find_room(room, t, p, sure, copy, columns);
    told[SHARE] = (float)count / (float)n;
    told[GATE] = 0.0f;
    if (told[SHARE] < t->least) {
        told[BELIEVED] = -1.0f;
        memset(before, 0, sizeof(float) * (size_t)N);
        return;
    }
    for (i32 y = 0; y < h; y++) {
        const u8 *a = row_of(luma, 2 * y), *b = row_of(luma, 2 * y + 1);
        u8 *restrict to = y_half + (ptrdiff_t)y * w;
        INDEPENDENT
        for (i32 x = 0; x < w; x++) to[x] = (u8)((a[2 * x] + a[2 * x + 1] + b[2 * x] + b[2 * x + 1] + 2) >> 2);
        memcpy(u + (ptrdiff_t)y * w, row_of(cb, y), (size_t)w);
        memcpy(v + (ptrdiff_t)y * w, row_of(cr, y), (size_t)w);
    }
    /* gain and offset, twice: the second time without what was moved */
    const u8 *plate[3] = {room->half, room->u, room->v}, *frame[3] = {y_half, u, v}, *weights = sure;
    float *residual[3] = {found + (ptrdiff_t)RESIDUAL * n, half[0], half[1]};
    for (i32 again = 0; again < 2; again++) {
        for (i32 c = 0; c < 3; c++) {
            fit_line(t, plate[c], frame[c], weights, n, told + GAIN + c, told + OFFSET + c);
            const float gain = told[GAIN + c], offset = told[OFFSET + c];
            const u8 *restrict a = frame[c], *restrict b = plate[c];
            float *restrict r = residual[c];
            INDEPENDENT
            for (i32 i = 0; i < n; i++) r[i] = (float)a[i] - (gain * (float)b[i] + offset);
        }
        if (again) break;
        i32 counts[256] = {0}, median = 0, sum = 0;
        const float *a = residual[0], *b = residual[1], *c = residual[2];
        INDEPENDENT
        for (i32 i = 0; i < n; i++) copy[i] = (u8)least_of(fabsf(a[i]) + fabsf(b[i]) + fabsf(c[i]), 255.0f);
        for (i32 i = 0; i < n; i++) counts[copy[i]] += sure[i];
        while (median < 255 && 2 * (sum += counts[median]) < count) median++;
        const float top = t->medians * (float)median + t->levels;
        INDEPENDENT
        for (i32 i = 0; i < n; i++) weight[i] = sure[i] & ((float)copy[i] < top);
        weights = weight;
    }
    /* how far the textures agree */
    float *mine = map[0], *cross = map[1], *own = map[2];
    texture_of(luma, mine, columns);
    double sum_cross = 0, sum_own = 0, sum_plate = 0;
    for (i32 y = 0; y < H; y++) {
        const float *restrict a = mine + (ptrdiff_t)y * W, *restrict b = room->texture + (ptrdiff_t)y * W;
        float *restrict ab = cross + (ptrdiff_t)y * W, *restrict aa = own + (ptrdiff_t)y * W;
        const u8 *where = sure + (ptrdiff_t)(y / 2) * w;
        float lanes[3][16] = {{0}};
        INDEPENDENT
        for (i32 x = 0; x < W; x++) ab[x] = a[x] * b[x], aa[x] = a[x] * a[x];
        for (i32 x = 0; x + 16 <= W; x += 16)
            for (i32 i = 0; i < 16; i++) {
                float k = (float)where[(x + i) / 2];
                lanes[0][i] += k * ab[x + i], lanes[1][i] += k * aa[x + i], lanes[2][i] += k * b[x + i] * b[x + i];
            }
        for (i32 x = W / 16 * 16; x < W; x++) {
            float k = (float)where[x / 2];
            lanes[0][0] += k * ab[x], lanes[1][0] += k * aa[x], lanes[2][0] += k * b[x] * b[x];
        }
        for (i32 i = 0; i < 16; i++) sum_cross += lanes[0][i], sum_own += lanes[1][i], sum_plate += lanes[2][i];
    }
    const double grain = (double)t->grain * 4 * count;
    told[AGREEMENT] = (float)((sum_cross + grain) / (sqrt(sum_own * sum_plate) + grain));
    const float belief = bounded((told[AGREEMENT] - t->doubt) / (t->belief - t->doubt), 0.0f, 1.0f);
    const float last = told[BELIEVED] < 0.0f ? belief : told[BELIEVED];
    told[BELIEVED] = last + t->slowly * (belief - last);
    const float gate = told[GATE] = least_of(belief, told[BELIEVED]);
    if (!(gate > 0.0f)) {
        told[GATE] = 0.0f;
        memset(before, 0, sizeof(float) * (size_t)N);
        return;
    }
    /* what the light has done in cells, and taken from the residuals */
    const i32 across = cells_of(w, CELL), down = cells_of(h, CELL), coarse = across * down;
    const float faint = t->faint * 9 * CELL * CELL;
    float *in_weight = cell[0], *in_room = cell[1], *values = cell[2], *copied = cell[3], *temporary = half[2];
    INDEPENDENT
    for (i32 i = 0; i < n; i++) temporary[i] = (float)weight[i];
    sum_cells(temporary, in_weight, w, h, CELL);
    sum_around(in_weight, copied, across, down);
    INDEPENDENT
    for (i32 i = 0; i < n; i++) temporary[i] = (float)sure[i];
    sum_cells(temporary, in_room, w, h, CELL);
    sum_around(in_room, copied, across, down);
    for (i32 c = 0; c < 3; c++) {
        float *restrict r = residual[c], *restrict drift = found + (ptrdiff_t)(DRIFT + c) * n;
        INDEPENDENT
        for (i32 i = 0; i < n; i++) temporary[i] = (float)weight[i] * r[i];
        sum_cells(temporary, values, w, h, CELL);
        sum_around(values, copied, across, down);
        for (i32 i = 0; i < coarse; i++) values[i] /= in_weight[i] + faint;
        spread_cells(values, drift, row, w, h, CELL);
        INDEPENDENT
        for (i32 i = 0; i < n; i++) r[i] -= drift[i];
    }
    float *full = map[3];
    for (i32 y = 0; y < H; y++) {
        const float gain = told[GAIN], offset = told[OFFSET];
        const u8 *restrict a = row_of(luma, y), *restrict b = room->y + (ptrdiff_t)y * W;
        const float *restrict drift = found + (ptrdiff_t)(y / 2) * w;
        float *restrict r = full + (ptrdiff_t)y * W;
        INDEPENDENT
        for (i32 x = 0; x < W; x++) r[x] = (float)a[x] - (gain * (float)b[x] + offset) - drift[x / 2];
    }
    /* the noise of the three planes, in cells */
    float *noise[3] = {found + (ptrdiff_t)NOISE_Y * n, half[3], half[4]};
    const float floors[3] = {t->floor_y, t->floor_u, t->floor_v}, *slopes[3] = {0, room->slope_u, room->slope_v};
    for (i32 c = 0; c < 3; c++) {
        if (c) {
            const float *restrict r = residual[c], *restrict steep = slopes[c];
            INDEPENDENT
            for (i32 i = 0; i < n; i++)
                temporary[i] = (float)sure[i] * most_of(least_of(r[i] * r[i], t->loudest) - t->slipped * steep[i], 0.0f);
        } else
            for (i32 y = 0; y < h; y++) {
                const float *restrict a = full + (ptrdiff_t)2 * y * W, *restrict b = a + W;
                const float *restrict k = room->slope_y + (ptrdiff_t)2 * y * W, *restrict l = k + W;
                const u8 *where = sure + (ptrdiff_t)y * w;
                float *restrict to = temporary + (ptrdiff_t)y * w;
                INDEPENDENT
                for (i32 x = 0; x < w; x++) {
                    float one = least_of(a[2 * x] * a[2 * x], t->loudest);
                    float two = least_of(a[2 * x + 1] * a[2 * x + 1], t->loudest);
                    float three = least_of(b[2 * x] * b[2 * x], t->loudest);
                    float four = least_of(b[2 * x + 1] * b[2 * x + 1], t->loudest);
                    float steep = k[2 * x] + k[2 * x + 1] + l[2 * x] + l[2 * x + 1];
                    float mean = 0.25f * (one + two + three + four - t->slipped * steep);
                    to[x] = (float)where[x] * most_of(mean, 0.0f);
                }
            }
        sum_cells(temporary, values, w, h, CELL);
        float sum = 0.0f;
        for (i32 i = 0; i < coarse; i++) sum += values[i];
        sum_around(values, copied, across, down);
        const float mean = sum / (float)count;
        for (i32 i = 0; i < coarse; i++)
            values[i] = most_of((values[i] + faint * mean) / (in_room[i] + faint), floors[c]);
        spread_cells(values, noise[c], row, w, h, CELL);
    }
    /* how the person nearby differs, in finer cells */
    float *person = found + (ptrdiff_t)PERSON_ * n, *all_noise = found + (ptrdiff_t)NOISE * n;
    float *lit = found + (ptrdiff_t)LIT * n, *there = half[5], *colour = half[6], *likely = half[7];
    float *spread_luma = half[8], *spread_chroma = half[9], *close = half[10], *squares = half[11];
    {
        const float *restrict ry = residual[0], *restrict ru = residual[1], *restrict rv = residual[2];
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
    }
    const float weak = t->prior_weight * 9 * NEAR * NEAR;
    float *number = cell[0], *of_luma = cell[1], *of_chroma = cell[2], *mixed = cell[4];
    sum_cells(there, number, w, h, NEAR), sum_around(number, copied, fine_across, fine_down);
    sum_cells(squares, of_luma, w, h, NEAR), sum_around(of_luma, copied, fine_across, fine_down);
    sum_cells(temporary, of_chroma, w, h, NEAR), sum_around(of_chroma, copied, fine_across, fine_down);
    for (i32 i = 0; i < fine; i++) {
        float a = (of_luma[i] + weak * t->prior_luma) / (number[i] + weak);
        float b = (of_chroma[i] + weak * t->prior_chroma) / (number[i] + weak);
        mixed[i] = t->luma * a + 2 * t->chroma * b;
        of_luma[i] = least_of(a * t->spread, 4 * t->prior_luma);
        of_chroma[i] = least_of(b * t->spread, 4 * t->prior_chroma);
        number[i] = least_of(number[i] / t->close, 1.0f);
    }
    spread_cells(mixed, person, row, w, h, NEAR);
    spread_cells(of_luma, spread_luma, row, w, h, NEAR);
    spread_cells(of_chroma, spread_chroma, row, w, h, NEAR);
    spread_cells(number, close, row, w, h, NEAR);
    /* the share of chroma in the likelihood, and the logarithms of all three */
    {
        const float *restrict ry = residual[0], *restrict ru = residual[1], *restrict rv = residual[2];
        const float *restrict ny = noise[0], *restrict nu = noise[1], *restrict nv = noise[2];
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
    /* what begins in the sure room is no part of the person */
    {
        u8 *differs = weight, *seeds = copy;
        const float *restrict ry = residual[0];
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
                u8 k = a[x - 1] & a[x] & a[x + 1] & b[x - 1] & b[x] & b[x + 1] & c[x - 1] & c[x] & c[x + 1];
                to[x] = k, some |= k;
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
    float *sums = map[4], *squared = map[5];
    for (i32 y = 0; y < H; y++) {
        const i32 near = y / 2, far = clamped(y % 2 ? near + 1 : near - 1, h - 1);
        const float *restrict la = likely + (ptrdiff_t)near * w, *restrict lb = likely + (ptrdiff_t)far * w;
        const float *restrict ca = colour + (ptrdiff_t)near * w, *restrict cb_ = colour + (ptrdiff_t)far * w;
        const float *restrict ny = noise[0] + (ptrdiff_t)near * w, *restrict fy = spread_luma + (ptrdiff_t)near * w;
        const float *restrict steep = room->slope_y + (ptrdiff_t)y * W, *restrict r = full + (ptrdiff_t)y * W;
        float *restrict l = row + EDGE, *restrict c = other + EDGE;
        float *restrict to = sums + (ptrdiff_t)y * W, *restrict square = squared + (ptrdiff_t)y * W;
        INDEPENDENT
        for (i32 x = 0; x < w; x++) l[x] = 0.75f * la[x] + 0.25f * lb[x], c[x] = 0.75f * ca[x] + 0.25f * cb_[x];
        l[-1] = l[0], l[w] = l[w - 1], c[-1] = c[0], c[w] = c[w - 1];
        INDEPENDENT
        for (i32 x = 0; x < w; x++) {
            float first = r[2 * x] * r[2 * x], second = r[2 * x + 1] * r[2 * x + 1];
            float s = ny[x] + t->slipped * steep[2 * x], k = ny[x] + t->slipped * steep[2 * x + 1];
            float left = 0.75f * l[x] + 0.25f * l[x - 1] + 0.5f * first * (1.0f / s - 1.0f / (s + fy[x]));
            float right = 0.75f * l[x] + 0.25f * l[x + 1] + 0.5f * second * (1.0f / k - 1.0f / (k + fy[x]));
            to[2 * x] = bounded(left, -t->loudest_sum, t->loudest_sum);
            to[2 * x + 1] = bounded(right, -t->loudest_sum, t->loudest_sum);
            square[2 * x] = first + 0.75f * c[x] + 0.25f * c[x - 1];
            square[2 * x + 1] = second + 0.75f * c[x] + 0.25f * c[x + 1];
        }
    }
    float *sum_mean = map[0], *square_mean = map[3], *cross_mean = map[6], *own_mean = map[7];
    window_means(cross, cross_mean, columns, W, H, WINDOW);
    window_means(own, own_mean, columns, W, H, WINDOW);
    window_means(sums, sum_mean, columns, W, H, 1);
    window_means(squared, square_mean, columns, W, H, 1);
    /* the evidence, and the map with it */
    const float low = 1.0f / (1.0f + expf(t->most)), high = 1.0f - low;
    const float per_middle = 1.0f / t->middle, per_alike = 1.0f / (t->alike_high - t->alike_low);
    const float noise_power = t->grain * t->grain + 1e-3f;
    for (i32 y = 0; y < H; y++) {
        const ptrdiff_t at = (ptrdiff_t)(y / 2) * w, here = (ptrdiff_t)y * W;
        float *restrict d = row, *restrict s = other, *restrict k = columns, *restrict g = third;
        if (y % 2 == 0) {
            INDEPENDENT
            for (i32 x = 0; x < w; x++) {
                float speaks = (1.0f - lit[at + x]) * close[at + x], counts = room->known[at + x] ? gate : 0.0f;
                d[2 * x] = d[2 * x + 1] = person[at + x], s[2 * x] = s[2 * x + 1] = all_noise[at + x];
                k[2 * x] = k[2 * x + 1] = speaks, g[2 * x] = g[2 * x + 1] = counts;
            }
        }
        const float *restrict likelihood = sum_mean + here, *restrict square = square_mean + here;
        const float *restrict ab = cross_mean + here, *restrict aa = own_mean + here, *restrict bb = room->power + here;
        const float *restrict seen = p + here;
        const u8 *restrict a = row_of(luma, y), *restrict b = room->y + here;
        float *restrict kept = before + here, *restrict to = out + here;
        INDEPENDENT
        for (i32 x = 0; x < W; x++) {
            float alpha = sqrtf(most_of(square[x] - s[x], 0.0f) / most_of(d[x] - s[x], t->least_person));
            float says = bounded((alpha - t->middle) * per_middle, -1.0f, 1.0f) * d[x] / (d[x] + t->half_at * s[x]);
            float textured = bb[x] / (bb[x] + t->textured);
            float alike = ab[x] / sqrtf(aa[x] * bb[x] + noise_power);
            float same = bounded((alike - t->alike_low) * per_alike, 0.0f, 1.0f) * textured;
            float against = -least_of(most_of(-likelihood[x], 0.0f), t->against + t->against_texture * textured);
            float speaks = t->for_one * says * k[x] * (1.0f - same);
            float found_ = ((says < 0.0f ? against : speaks) - t->same_texture * same * same) * g[x];
            float held = t->hold * kept[x];
            found_ = (says < 0.0f) & (likelihood[x] < 0.0f) & (held < found_) ? held : found_;
            float now = (float)a[x], plate_ = (float)b[x];
            float inside = most_of(least_of(now - t->clip_low, t->clip_high - now),
                                   least_of(plate_ - t->clip_low, t->clip_high - plate_));
            kept[x] = inside < 0.0f ? 0.0f : found_;
        }
        INDEPENDENT
        for (i32 x = 0; x < W; x++) {
            float evidence = kept[x], was = seen[x];
            float at_ = evidence < 0.0f ? least_of(was, high) : most_of(was, low);
            float odds = at_ * power_of_e(evidence), is = odds / (odds + 1.0f - at_);
            to[x] = evidence == 0.0f ? was : is;
        }
    }
}
