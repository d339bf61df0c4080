/* vcam/matte/temporal.py */

#include "common.h"

/* Where the samples round a row of places begin, and the shares of those to the right and below. Places outside of the
   picture (two rows and two columns at least) have its border's. The loops are apart because the next one gathers. */
INLINE void find_places(const float *restrict to_x, const float *restrict to_y, i32 step, float scale, i32 y,
                        i32 *restrict at, float *restrict right, float *restrict down, i32 count, i32 width,
                        i32 height) {
    INDEPENDENT
    for (i32 x = 0; x < count; x++) {
        float from_x = within((float)x + scale * to_x[step * x], (float)(width - 1));
        float from_y = within((float)y + scale * to_y[step * x], (float)(height - 1));
        i32 left = (i32)from_x, top = (i32)from_y;
        left = left < width - 2 ? left : width - 2, top = top < height - 2 ? top : height - 2;
        at[x] = top * width + left;
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
                         const float *restrict right, const float *restrict down, i32 *restrict residual, i32 width) {
    INDEPENDENT
    for (i32 x = 0; x < width; x++) {
        i32 i = at[x];
        float a = before[i], b = before[i + 1], c = before[i + width], d = before[i + width + 1];
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
                        float *restrict to, i32 width, float floor, float slope, float still) {
    INDEPENDENT
    for (i32 x = 0; x < width; x++) {
        i32 i = at[x];
        float moved = between(mean[i], mean[i + 1], mean[i + width], mean[i + width + 1], right[x], down[x]);
        float change = seen[x] - moved, size = change < 0.0f ? -change : change;
        float gain = slope * (size - still) + floor;
        gain = gain > least[x] ? gain : least[x];
        to[x] = moved + (gain < 1.0f ? gain : 1.0f) * change;
    }
}

/* How many numbers of four bytes vcam_follow needs. */
EXPORT ptrdiff_t vcam_follow_scratch(i32 width, i32 height) {
    return 2 * (ptrdiff_t)width * height + 13 * (ptrdiff_t)width + 2;
}

/* luma, before: (height, width), 2 at least, dense; flow: two numbers for each of their pixels, to where it was before;
   probability, mean, result: twice as high and wide, dense */
EXPORT void vcam_follow(const float *probability, const float *mean, float *result, const float *flow, const u8 *luma,
                        const u8 *before, i32 width, i32 height, float floor, float slope, float still, i32 same,
                        i32 other, float *scratch) {
    const i32 wide = 2 * width;
    i32 *residual = (i32 *)scratch, *at;
    float *doubts = scratch + width * height, *row = doubts + width * height + 1;
    float *to_x = row + width + 1, *to_y = to_x + wide, *least = to_y + wide, *right = least + wide, *down = right + wide;
    at = (i32 *)(down + wide);
    for (i32 y = 0; y < height; y++) {
        find_places(flow + 2 * y * width, flow + 2 * y * width + 1, 2, 1.0f, y, at, right, down, width, width, height);
        residual_row(luma + y * width, before, at, right, down, residual + y * width, width);
    }
    for (i32 y = 0; y < height; y++)
        doubt_row(residual, (i32 *)row, doubts + y * width, y, width, height, floor, same, other);
    for (i32 y = 0; y < 2 * height; y++) {
        i32 near = y / 2, far = clamped(y % 2 ? near + 1 : near - 1, height - 1);
        double_row(flow + 2 * near * width, flow + 2 * far * width, 2, row, to_x, width);
        double_row(flow + 2 * near * width + 1, flow + 2 * far * width + 1, 2, row, to_y, width);
        double_row(doubts + near * width, doubts + far * width, 1, row, least, width);
        /* the flow is in pixels of half the size */
        find_places(to_x, to_y, 1, 2.0f, y, at, right, down, wide, wide, 2 * height);
        average_row(probability + y * wide, mean, at, right, down, least, result + y * wide, wide, floor, slope, still);
    }
}
