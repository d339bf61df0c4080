/* vcam/matte/soft.py and vcam/matte/guided.py */

#include "common.h"

/* How many numbers of four bytes vcam_enlarge needs. */
EXPORT_ONE ptrdiff_t vcam_enlarge_scratch(i32 width) { return (ptrdiff_t)width + 2; }

/* The matte (height, width) at twice its size, bilinear, and the means of that one's fours at its own. rows: two */
EXPORT void vcam_enlarge(const Plane *matte, const Plane *full, const Plane *half, u16 *restrict rows) {
    const i32 width = matte->width, height = matte->height;
    u16 *restrict top = rows + 1, *restrict bottom = rows + width + 3;
    for (i32 y = 0; y < height; y++) {
        const u8 *here = row_of(matte, y);
        const u8 *above = row_of(matte, y ? y - 1 : y);
        const u8 *below = row_of(matte, y + 1 < height ? y + 1 : y);
        INDEPENDENT
        for (i32 x = 0; x < width; x++) {
            u16 three = (u16)(3 * here[x]);
            top[x] = above[x] + three;
            bottom[x] = below[x] + three;
        }
        top[-1] = top[0], top[width] = top[width - 1];
        bottom[-1] = bottom[0], bottom[width] = bottom[width - 1];
        u8 *restrict first = row_of(full, 2 * y), *restrict second = row_of(full, 2 * y + 1);
        u8 *restrict mean = row_of(half, y);
        INDEPENDENT
        for (i32 x = 0; x < width; x++) {
            u16 t = (u16)(3 * top[x] + 8), b = (u16)(3 * bottom[x] + 8);
            u16 t0 = (u16)(t + top[x - 1]) >> 4, t1 = (u16)(t + top[x + 1]) >> 4;
            u16 b0 = (u16)(b + bottom[x - 1]) >> 4, b1 = (u16)(b + bottom[x + 1]) >> 4;
            first[2 * x] = (u8)t0, first[2 * x + 1] = (u8)t1;
            second[2 * x] = (u8)b0, second[2 * x + 1] = (u8)b1;
            mean[x] = (u8)((u16)(t0 + t1 + b0 + b1 + 2) >> 2);
        }
    }
}

/* ---- the model of the guided filter --------------------------------------------------------------------------- */

/* p is the matte; y, u, v the guide; ONE stands for the factor that a plain mean has not */
enum { P, Y, U, V, ONE, INPUTS };
enum { P_, Y_, U_, V_, PY, PU, PV, YY, YU, YV, UU, UV, VV, PP, SUMS };
static const u8 FACTORS[SUMS][2] = {{P, ONE}, {Y, ONE}, {U, ONE}, {V, ONE}, {P, Y}, {P, U}, {P, V},
                                    {Y, Y},   {Y, U},   {Y, V},   {U, U},   {U, V}, {V, V}, {P, P}};
/* of each window: the slopes by y, u and v, the offset, and the share that colours leave unexplained */
enum { BY_Y, BY_U, BY_V, OFFSET, UNSEEN, MODEL };

/* columns + a factor times the other of one row, less those of another row */
INLINE void exchange(i32 *restrict columns, const Plane *in, i32 sum, i32 next, i32 last, i32 width) {
    const u8 *a = row_of(in + FACTORS[sum][0], next), *b = row_of(in + FACTORS[sum][1], next);
    const u8 *c = row_of(in + FACTORS[sum][0], last), *d = row_of(in + FACTORS[sum][1], last);
    INDEPENDENT
    for (i32 x = 0; x < width; x++) columns[x] += a[x] * b[x] - c[x] * d[x];
}

INLINE void add(i32 *restrict columns, const Plane *in, i32 sum, i32 row, i32 width) {
    const u8 *a = row_of(in + FACTORS[sum][0], row), *b = row_of(in + FACTORS[sum][1], row);
    INDEPENDENT
    for (i32 x = 0; x < width; x++) columns[x] += a[x] * b[x];
}

/* Rows are short, and seven loops over one take longer than one that adds seven: the usual radius has its own. */
enum { USUAL = 3 };
#define SEVEN(a, x) (a[x] + a[x + 1] + a[x + 2] + a[x + 3] + a[x + 4] + a[x + 5] + a[x + 6])

/* means[x] = the mean of 2 * radius + 1 columns round x, of sums of as many rows; beyond an edge they repeat its own */
INLINE void average_integers(const i32 *restrict columns, i32 *restrict padded, i32 *restrict total,
                             float *restrict means, i32 width, i32 radius, float share) {
    for (i32 x = 0; x < width; x++) padded[radius + x] = columns[x];
    for (i32 x = 0; x < radius; x++) padded[x] = columns[0], padded[radius + width + x] = columns[width - 1];
    if (radius == USUAL) {
        INDEPENDENT
        for (i32 x = 0; x < width; x++) means[x] = (float)SEVEN(padded, x) * share;
        return;
    }
    for (i32 x = 0; x < width; x++) total[x] = padded[x] + padded[x + 1];
    for (i32 i = 2; i <= 2 * radius; i++)
        for (i32 x = 0; x < width; x++) total[x] += padded[x + i];
    for (i32 x = 0; x < width; x++) means[x] = (float)total[x] * share;
}

INLINE void average(const float *restrict source, i32 row, float *restrict padded, float *restrict means, i32 width,
                    i32 height, i32 radius, float share) {
    const float *lines[2 * USUAL + 1];
    for (i32 i = -USUAL; i <= USUAL; i++) lines[i + USUAL] = source + (ptrdiff_t)clamped(row + i, height - 1) * width;
    if (radius == USUAL) {
        const float *a = lines[0], *b = lines[1], *c = lines[2], *d = lines[3], *e = lines[4], *f = lines[5];
        const float *g = lines[6];
        INDEPENDENT
        for (i32 x = 0; x < width; x++) padded[USUAL + x] = a[x] + b[x] + c[x] + d[x] + e[x] + f[x] + g[x];
    } else {
        for (i32 x = 0; x < width; x++) padded[radius + x] = 0.0f;
        for (i32 i = -radius; i <= radius; i++) {
            const float *line = source + (ptrdiff_t)clamped(row + i, height - 1) * width;
            for (i32 x = 0; x < width; x++) padded[radius + x] += line[x];
        }
    }
    for (i32 x = 0; x < radius; x++) {
        padded[x] = padded[radius];
        padded[radius + width + x] = padded[radius + width - 1];
    }
    if (radius == USUAL) {
        INDEPENDENT
        for (i32 x = 0; x < width; x++) means[x] = SEVEN(padded, x) * share;
        return;
    }
    for (i32 x = 0; x < width; x++) means[x] = padded[x] + padded[x + 1];
    for (i32 i = 2; i <= 2 * radius; i++)
        for (i32 x = 0; x < width; x++) means[x] += padded[x + i];
    for (i32 x = 0; x < width; x++) means[x] *= share;
}

/* m: SUMS rows of means; model: one row in each of MODEL planes */
INLINE void solve(const float *restrict m, float *restrict model, ptrdiff_t plane, i32 width, float epsilon,
                  float flat) {
    const float least = epsilon * epsilon * epsilon;
    INDEPENDENT
    for (i32 x = 0; x < width; x++) {
        float p = m[P_ * width + x], y = m[Y_ * width + x], u = m[U_ * width + x], v = m[V_ * width + x];
        float py = m[PY * width + x] - y * p, pu = m[PU * width + x] - u * p, pv = m[PV * width + x] - v * p;
        float yy = m[YY * width + x] - y * y + epsilon, yu = m[YU * width + x] - y * u, yv = m[YV * width + x] - y * v;
        float uu = m[UU * width + x] - u * u + epsilon, uv = m[UV * width + x] - u * v;
        float vv = m[VV * width + x] - v * v + epsilon, pp = m[PP * width + x] - p * p;
        float c_yy = uu * vv - uv * uv, c_yu = yv * uv - yu * vv, c_yv = yu * uv - yv * uu;
        float c_uu = yy * vv - yv * yv, c_uv = yu * yv - yy * uv, c_vv = yy * uu - yu * yu;
        float determinant = yy * c_yy + yu * c_yu + yv * c_yv;
        float inverse = 1.0f / (determinant > least ? determinant : least);
        float a = (c_yy * py + c_yu * pu + c_yv * pv) * inverse;
        float b = (c_yu * py + c_uu * pu + c_uv * pv) * inverse;
        float c = (c_yv * py + c_uv * pu + c_vv * pv) * inverse;
        model[BY_Y * plane + x] = a, model[BY_U * plane + x] = b, model[BY_V * plane + x] = c;
        model[OFFSET * plane + x] = p - a * y - b * u - c * v;
        model[UNSEEN * plane + x] = 1.0f - within((a * py + b * pu + c * pv) / (pp > flat ? pp : flat), 1.0f);
    }
}

/* The least and the greatest of each pixel's three by three samples of the matte. low, high: 2 * width + 2 samples */
INLINE void bounds(const Plane *in, i32 row, u8 *restrict low, u8 *restrict high, i32 width, i32 height) {
    const u8 *restrict p = row_of(in + P, row);
    const u8 *restrict above = row_of(in + P, clamped(row - 1, height - 1));
    const u8 *restrict below = row_of(in + P, clamped(row + 1, height - 1));
    u8 *restrict least = low + width, *restrict most = high + width;
    INDEPENDENT
    for (i32 x = 0; x < width; x++) {
        u8 a = above[x], b = below[x], c = p[x];
        u8 less = a < b ? a : b, more = a < b ? b : a;
        least[x + 1] = less < c ? less : c, most[x + 1] = more > c ? more : c;
    }
    least[0] = least[1], least[width + 1] = least[width], most[0] = most[1], most[width + 1] = most[width];
    INDEPENDENT
    for (i32 x = 0; x < width; x++) {
        u8 less = least[x] < least[x + 2] ? least[x] : least[x + 2];
        u8 more = most[x] > most[x + 2] ? most[x] : most[x + 2];
        low[x] = less < least[x + 1] ? less : least[x + 1], high[x] = more > most[x + 1] ? more : most[x + 1];
    }
}

/* The mean of the models of all windows that hold a pixel, given back the matte's own where colours are blind, and none
   or all where the matte is sure. low, high: of the matte's neighbours */
INLINE void settle(const float *restrict mean, const Plane *in, i32 row, float *restrict maps, ptrdiff_t plane,
                   i32 width, i32 blind, float contrast, const u8 *restrict low, const u8 *restrict high, i32 sure) {
    const u8 *p = row_of(in + P, row), *y = row_of(in + Y, row), *u = row_of(in + U, row), *v = row_of(in + V, row);
    const float level = 255.0f * (0.5f - 0.5f * contrast);
    float *restrict by_y = maps, *restrict by_u = maps + plane, *restrict by_v = maps + 2 * plane;
    float *restrict offset = maps + 3 * plane;
    for (i32 x = 0; x < width; x++) offset[x] = mean[UNSEEN * width + x];
    for (i32 i = 0; i < blind; i++)
        for (i32 x = 0; x < width; x++) offset[x] *= offset[x];
    INDEPENDENT
    for (i32 x = 0; x < width; x++) {
        float a = mean[BY_Y * width + x], b = mean[BY_U * width + x], c = mean[BY_V * width + x];
        float o = mean[OFFSET * width + x];
        o += ((float)p[x] - o - a * (float)y[x] - b * (float)u[x] - c * (float)v[x]) * offset[x];
        /* an outline within reach, or neither */
        float open = high[x] > sure && low[x] < 255 - sure ? contrast : 0.0f;
        float end = low[x] >= 255 - sure ? 255.0f * contrast : 0.0f;
        by_y[x] = a * open, by_u[x] = b * open, by_v[x] = c * open;
        offset[x] = o * open + (open > 0.0f ? 0.0f : end) + level;
    }
}

/* How many numbers of four bytes vcam_model needs. */
EXPORT ptrdiff_t vcam_model_scratch(i32 width, i32 height, i32 radius) {
    return (ptrdiff_t)MODEL * width * height + (2 * SUMS + 4) * (ptrdiff_t)width + 2 * radius + 1;
}

/* p is the matte; y, u, v the guide. maps: four planes of their size, dense: the slopes by y, u and v and the offset */
EXPORT void vcam_model(const Plane *p, const Plane *y, const Plane *u, const Plane *v, float *maps, i32 radius,
                       float epsilon, float flat, i32 blind, float contrast, i32 sure, float *scratch) {
    const i32 width = p->width, height = p->height;
    const ptrdiff_t plane = (ptrdiff_t)width * height;
    const float share = 1.0f / (float)((2 * radius + 1) * (2 * radius + 1));
    float *model = scratch, *means = model + MODEL * plane;
    i32 *columns = (i32 *)(means + SUMS * width), *padded = columns + SUMS * width, *total = padded + width + 2 * radius;
    u8 *ones = (u8 *)(total + width), *low = ones + width, *high = low + 2 * width + 2;
    const Plane in[INPUTS] = {*p, *y, *u, *v, {ones, 0, width, height}};
    for (i32 x = 0; x < width; x++) ones[x] = 1;
    for (i32 x = 0; x < SUMS * width; x++) columns[x] = 0;
    for (i32 row = 0; row < height; row++) {
        for (i32 sum = 0; sum < SUMS; sum++) {
            i32 *mine = columns + sum * width;
            if (row)
                exchange(mine, in, sum, clamped(row + radius, height - 1), clamped(row - 1 - radius, height - 1), width);
            else
                for (i32 i = -radius; i <= radius; i++) add(mine, in, sum, clamped(i, height - 1), width);
            average_integers(mine, padded, total, means + sum * width, width, radius, share);
        }
        solve(means, model + (ptrdiff_t)row * width, plane, width, epsilon, flat);
    }
    for (i32 row = 0; row < height; row++) {
        for (i32 i = 0; i < MODEL; i++)
            average(model + i * plane, row, (float *)padded, means + i * width, width, height, radius, share);
        bounds(in, row, low, high, width, height);
        settle(means, in, row, maps + (ptrdiff_t)row * width, plane, width, blind, contrast, low, high, sure);
    }
}

/* ---- applying it ---------------------------------------------------------------------------------------------- */

/* Two rows of a map, as wide as the picture: those that the picture's row lies between. */
typedef struct {
    float *upper, *lower;
    i32 row;
} Pair;

INLINE void widen(const float *restrict small, float *restrict wide, const i32 *restrict at, const float *restrict share,
                  i32 width) {
    INDEPENDENT
    for (i32 x = 0; x < width; x++) {
        float left = small[at[x]];
        wide[x] = left + share[x] * (small[at[x] + 1] - left);
    }
}

/* maps: `count` planes, (rows, columns) each, whose wide rows lie one after the other */
INLINE void move_to(Pair *pair, i32 row, const float *maps, i32 count, i32 columns, i32 rows, const i32 *at,
                    const float *share, i32 width) {
    if (row == pair->row) return;
    i32 next = row == pair->row + 1;
    float *spare = pair->upper;
    if (next) pair->upper = pair->lower, pair->lower = spare;
    for (i32 i = 0; i < count; i++) {
        const float *map = maps + ((ptrdiff_t)i * rows + row) * columns;
        if (!next) widen(map, pair->upper + i * width, at, share, width);
        widen(map + columns, pair->lower + i * width, at, share, width);
    }
    pair->row = row;
}

/* the part of u, v and the offset for one row of chroma: at twice its width in `wide`. sum: a column more on each side */
INLINE void chroma_row(const Pair *pair, float share, const u8 *restrict u, const u8 *restrict v, float *restrict sum,
                       float *restrict wide, i32 width) {
    const float *restrict a = pair->upper, *restrict b = pair->lower;
    INDEPENDENT
    for (i32 x = 0; x < width; x++) {
        float from = a[x] * (float)u[x] + a[width + x] * (float)v[x] + a[2 * width + x];
        float to = b[x] * (float)u[x] + b[width + x] * (float)v[x] + b[2 * width + x];
        sum[x] = from + share * (to - from);
    }
    sum[-1] = sum[0], sum[width] = sum[width - 1];
    INDEPENDENT
    for (i32 x = 0; x < width; x++) {
        float most = 0.75f * sum[x];
        wide[2 * x] = most + 0.25f * sum[x - 1];
        wide[2 * x + 1] = most + 0.25f * sum[x + 1];
    }
}

/* near, far: what chroma gives to the rows of half the height that this one lies between */
INLINE void luma_row(const Pair *pair, float share, const u8 *restrict y, const float *restrict near,
                     const float *restrict far, u8 *restrict target, i32 width) {
    const float *restrict a = pair->upper, *restrict b = pair->lower;
    INDEPENDENT
    for (i32 x = 0; x < width; x++) {
        float value = 0.75f * near[x] + 0.25f * far[x] + (a[x] + share * (b[x] - a[x])) * (float)y[x];
        target[x] = (u8)(i32)(within(value, 255.0f) + 0.5f);
    }
}

/* How many numbers of four bytes vcam_apply needs. */
EXPORT ptrdiff_t vcam_apply_scratch(i32 width) { return 2 + 23 * (ptrdiff_t)width; }

/* maps: as vcam_model's, two rows and two columns at least; y, target: (2 * height, 2 * width), u and v: (height, width) */
EXPORT void vcam_apply(const float *maps, i32 columns, i32 rows, const Plane *y, const Plane *u, const Plane *v,
                       const Plane *target, float *scratch) {
    const i32 width = u->width, height = u->height, wide = 2 * width;
    Pair luma = {scratch, scratch + wide, -2}, chroma = {scratch + 2 * wide, scratch + 2 * wide + 3 * width, -2};
    float *sum = chroma.lower + 3 * width + 1;
    /* three rows of them: the one above, the present one and the one below */
    float *totals = sum + width + 1;
    float *share = totals + 3 * wide, *chroma_share = share + wide, t;
    i32 *at = (i32 *)(chroma_share + width), *chroma_at = at + wide;
    for (i32 x = 0; x < wide; x++) at[x] = place(x, wide, columns, share + x);
    for (i32 x = 0; x < width; x++) chroma_at[x] = place(x, width, columns, chroma_share + x);
    for (i32 row = -1; row < height; row++) {
        i32 next = row + 1;
        if (next < height) {
            i32 first = place(next, height, rows, &t);
            move_to(&chroma, first, maps + (ptrdiff_t)rows * columns, 3, columns, rows, chroma_at, chroma_share, width);
            chroma_row(&chroma, t, row_of(u, next), row_of(v, next), sum, totals + next % 3 * wide, width);
        }
        for (i32 i = 0; row >= 0 && i < 2; i++) {
            i32 line = 2 * row + i, beside = clamped(row + 2 * i - 1, height - 1);
            move_to(&luma, place(line, 2 * height, rows, &t), maps, 1, columns, rows, at, share, wide);
            luma_row(&luma, t, row_of(y, line), totals + row % 3 * wide, totals + beside % 3 * wide, row_of(target, line),
                     wide);
        }
    }
}
