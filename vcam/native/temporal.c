/* vcam/matte/temporal.py */

#include "common.h"

/* Where the samples round a row of places begin, and the shares of those to the right and below. Places outside of the
   picture (two rows and two columns at least, `stride` samples apart) have its border's. The loops are apart because the
   next one gathers. */
INLINE void find_places(const float *restrict to_x, const float *restrict to_y, i32 step, float scale, i32 y,
                        i32 *restrict at, float *restrict right, float *restrict down, i32 first, i32 last, i32 width,
                        i32 height, i32 stride) {
    INDEPENDENT
    for (i32 x = first; x < last; x++) {
        float from_x = within((float)x + scale * to_x[step * x], (float)(width - 1));
        float from_y = within((float)y + scale * to_y[step * x], (float)(height - 1));
        i32 left = (i32)from_x, top = (i32)from_y;
        left = left < width - 2 ? left : width - 2, top = top < height - 2 ? top : height - 2;
        at[x] = top * stride + left;
        right[x] = from_x - (float)left, down[x] = from_y - (float)top;
    }
}

INLINE float between(float a, float b, float c, float d, float right, float down) {
    float above = a + right * (b - a);
    return above + down * (c + right * (d - c) - above);
}

/* a row between two of half the width, to all columns, as cv2.INTER_LINEAR has it; `step` between its numbers */
INLINE void double_row(const float *restrict near, const float *restrict far, i32 step, float *restrict row,
                       float *restrict wide, i32 width) {
    for (i32 x = 0; x < width; x++) row[x] = 0.75f * near[step * x] + 0.25f * far[step * x];
    row[-1] = row[0], row[width] = row[width - 1];
    INDEPENDENT
    for (i32 x = 0; x < width; x++) {
        wide[2 * x] = 0.75f * row[x] + 0.25f * row[x - 1];
        wide[2 * x + 1] = 0.75f * row[x] + 0.25f * row[x + 1];
    }
}

/* a row of how badly the motion explains each pixel: |luma - before, moved|, in levels */
INLINE void residual_row(const u8 *restrict luma, const u8 *restrict before, const i32 *restrict at,
                         const float *restrict right, const float *restrict down, i32 *restrict residual, i32 width,
                        i32 stride) {
    INDEPENDENT
    for (i32 x = 0; x < width; x++) {
        i32 i = at[x];
        float a = before[i], b = before[i + 1], c = before[i + stride], d = before[i + stride + 1];
        i32 change = (i32)luma[x] - (i32)(between(a, b, c, d, right[x], down[x]) + 0.5f);
        residual[x] = change < 0 ? -change : change;
    }
}

/* the least gain of a row, from the mean residual of each pixel's three by three; beyond the border lies its mirror */
INLINE void doubt_row(const i32 *restrict residual, i32 *restrict sum, float *restrict doubt, i32 y, i32 width,
                      i32 height, float floor, i32 same, i32 other) {
    const i32 *restrict here = residual + y * width;
    const i32 *restrict above = y ? here - width : here + width, *restrict below = y < height - 1 ? here + width : above;
    const float scale = (1.0f - floor) / (float)(other - same);
    for (i32 x = 0; x < width; x++) sum[x] = above[x] + here[x] + below[x];
    sum[-1] = sum[1], sum[width] = sum[width - 2];
    for (i32 x = 0; x < width; x++) {
        i32 mean = (2 * (sum[x - 1] + sum[x] + sum[x + 1]) + 9) / 18;
        doubt[x] = floor + scale * within((float)(mean - same), (float)(other - same));
    }
}

/* a row of the average, along the motion, with each pixel's gain */
INLINE void average_row(const float *restrict seen, const float *restrict mean, const i32 *restrict at,
                        const float *restrict right, const float *restrict down, const float *restrict least,
                        float *restrict to, i32 first, i32 last, i32 width, float floor, float slope, float still) {
    INDEPENDENT
    for (i32 x = first; x < last; x++) {
        i32 i = at[x];
        float moved = between(mean[i], mean[i + 1], mean[i + width], mean[i + width + 1], right[x], down[x]);
        float change = seen[x] - moved, size = change < 0.0f ? -change : change;
        float gain = slope * (size - still) + floor;
        gain = gain > least[x] ? gain : least[x];
        to[x] = moved + (gain < 1.0f ? gain : 1.0f) * change;
    }
}

/* Parts of the map that are looked at at once: only where somebody is, or was close by, is there anything to do. */
enum { ROWS = 16, COLUMNS = 32 };

INLINE i32 is_lively(const float *restrict map, i32 top, i32 bottom, i32 left, i32 right, i32 width, float nobody) {
    float most[COLUMNS] = {0.0f};
    for (i32 y = top; y < bottom; y++) {
        const float *row = map + y * width + left;
        if (right - left == COLUMNS)
            for (i32 x = 0; x < COLUMNS; x++) most[x] = row[x] > most[x] ? row[x] : most[x];
        else
            for (i32 x = 0; x < right - left; x++) most[x] = row[x] > most[x] ? row[x] : most[x];
    }
    i32 count = 0;
    for (i32 x = 0; x < COLUMNS; x++) count += most[x] > nobody;
    return count > 0;
}

/* lively: two planes of a byte for each part; in the first then, whether there is anything to do */
INLINE void find_lively(const float *seen, const float *mean, u8 *lively, i32 width, i32 height, float nobody) {
    const i32 across = (width + COLUMNS - 1) / COLUMNS, down = (height + ROWS - 1) / ROWS;
    u8 *was = lively + across * down;
    for (i32 i = 0; i < across * down; i++) {
        i32 top = i / across * ROWS, left = i % across * COLUMNS;
        i32 bottom = clamped(top + ROWS, height), right = clamped(left + COLUMNS, width);
        lively[i] = (u8)is_lively(seen, top, bottom, left, right, width, nobody);
        was[i] = (u8)is_lively(mean, top, bottom, left, right, width, nobody);
    }
    for (i32 i = 0; i < across * down; i++) {
        i32 y = i / across, x = i % across;
        for (i32 j = clamped(y - 1, down - 1); j <= clamped(y + 1, down - 1); j++)
            for (i32 k = clamped(x - 1, across - 1); k <= clamped(x + 1, across - 1); k++)
                lively[i] |= was[j * across + k];
        lively[i] = lively[i] > 0;
    }
}

/* How many numbers of four bytes vcam_follow needs. */
EXPORT ptrdiff_t vcam_follow_scratch(i32 width, i32 height) {
    return 2 * (ptrdiff_t)width * height + 13 * (ptrdiff_t)width + 2 + (2 * width / COLUMNS + 1) * (2 * height / ROWS + 1);
}

/* luma, before: two rows and two columns at least; flow: two numbers for each of their pixels, to where it was before;
   probability, mean, result: twice as high and wide. Numbers are dense. */
EXPORT void vcam_follow(const float *probability, const float *mean, float *result, const float *flow, const Plane *luma,
                        const Plane *before, float floor, float slope, float still, i32 same, i32 other, float nobody,
                        float *scratch) {
    const i32 width = luma->width, height = luma->height, stride = (i32)before->stride;
    const i32 wide = 2 * width, tall = 2 * height, parts = (wide + COLUMNS - 1) / COLUMNS;
    i32 *residual = (i32 *)scratch, *at;
    float *doubts = scratch + width * height, *row = doubts + width * height + 1;
    float *to_x = row + width + 1, *to_y = to_x + wide, *least = to_y + wide, *right = least + wide, *down = right + wide;
    at = (i32 *)(down + wide);
    u8 *lively = (u8 *)(at + wide);
    find_lively(probability, mean, lively, wide, tall, nobody);
    i32 top = tall, bottom = 0;
    for (i32 y = 0; y < tall; y++)
        for (i32 i = 0; i < parts; i++)
            if (lively[y / ROWS * parts + i]) top = y < top ? y : top, bottom = y + 1;
    for (i32 y = clamped(top / 2 - 2, height); y < clamped(bottom / 2 + 2, height); y++) {
        const float *mine = flow + 2 * y * width;
        find_places(mine, mine + 1, 2, 1.0f, y, at, right, down, 0, width, width, height, stride);
        residual_row(row_of(luma, y), before->at, at, right, down, residual + y * width, width, stride);
    }
    for (i32 y = clamped(top / 2 - 1, height); y < clamped(bottom / 2 + 1, height); y++)
        doubt_row(residual, (i32 *)row, doubts + y * width, y, width, height, floor, same, other);
    for (i32 y = 0; y < tall; y++) {
        const u8 *mine = lively + y / ROWS * parts;
        float *to = result + y * wide;
        i32 near = y / 2, far = clamped(y % 2 ? near + 1 : near - 1, height - 1), ready = 0;
        for (i32 i = 0, next; i < parts; i = next) {
            /* as many parts as are alike */
            for (next = i + 1; next < parts && mine[next] == mine[i];) next++;
            const i32 first = i * COLUMNS, last = clamped(next * COLUMNS, wide);
            if (!mine[i]) {
                for (i32 x = first; x < last; x++) to[x] = 0.0f;
                continue;
            }
            if (!ready) {
                double_row(flow + 2 * near * width, flow + 2 * far * width, 2, row, to_x, width);
                double_row(flow + 2 * near * width + 1, flow + 2 * far * width + 1, 2, row, to_y, width);
                double_row(doubts + near * width, doubts + far * width, 1, row, least, width);
                ready = 1;
            }
            /* the flow is in pixels of half the size */
            find_places(to_x, to_y, 1, 2.0f, y, at, right, down, first, last, wide, tall, wide);
            average_row(probability + y * wide, mean, at, right, down, least, to, first, last, wide, floor, slope, still);
        }
    }
}
