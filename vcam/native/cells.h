/* Planes of numbers in windows and in cells, for the loops of room memory. */

#ifndef VCAM_CELLS_H
#define VCAM_CELLS_H

#include "room.h"

/* means over windows of 2 * radius + 1; beyond the border it repeats. `to` may not be `from`; columns: width + 2 EDGE */
INLINE void window_means(const float *restrict from, float *restrict to, float *restrict columns, i32 width, i32 height,
                         i32 radius) {
    float *restrict sum = columns + EDGE;
    const float share = 1.0f / (float)((2 * radius + 1) * (2 * radius + 1));
    for (i32 x = 0; x < width; x++) sum[x] = 0.0f;
    for (i32 i = -radius; i <= radius; i++) {
        const float *row = from + (ptrdiff_t)clamped(i, height - 1) * width;
        INDEPENDENT
        for (i32 x = 0; x < width; x++) sum[x] += row[x];
    }
    for (i32 y = 0; y < height; y++) {
        for (i32 i = 1; i <= radius; i++) sum[-i] = sum[0], sum[width - 1 + i] = sum[width - 1];
        float *restrict out = to + (ptrdiff_t)y * width;
        if (radius == 1) {
            INDEPENDENT
            for (i32 x = 0; x < width; x++) out[x] = (sum[x - 1] + sum[x] + sum[x + 1]) * share;
        } else {
            INDEPENDENT
            for (i32 x = 0; x < width; x++)
                out[x] = (sum[x - 3] + sum[x - 2] + sum[x - 1] + sum[x] + sum[x + 1] + sum[x + 2] + sum[x + 3]) * share;
        }
        const float *next = from + (ptrdiff_t)clamped(y + radius + 1, height - 1) * width;
        const float *last = from + (ptrdiff_t)clamped(y - radius, height - 1) * width;
        INDEPENDENT
        for (i32 x = 0; x < width; x++) sum[x] += next[x] - last[x];
    }
}

/* luma less the mean of its window of 9 */
INLINE void texture_of(const Plane *luma, float *restrict to, float *columns) {
    const i32 width = luma->width, height = luma->height;
    i32 *restrict sum = (i32 *)columns + EDGE;
    for (i32 x = 0; x < width; x++) sum[x] = 0;
    for (i32 i = -PASS; i <= PASS; i++) {
        const u8 *row = row_of(luma, clamped(i, height - 1));
        INDEPENDENT
        for (i32 x = 0; x < width; x++) sum[x] += row[x];
    }
    for (i32 y = 0; y < height; y++) {
        for (i32 i = 1; i <= PASS; i++) sum[-i] = sum[0], sum[width - 1 + i] = sum[width - 1];
        float *restrict out = to + (ptrdiff_t)y * width;
        const u8 *here = row_of(luma, y);
        INDEPENDENT
        for (i32 x = 0; x < width; x++)
            out[x] = (float)here[x] - (float)(sum[x - 4] + sum[x - 3] + sum[x - 2] + sum[x - 1] + sum[x] + sum[x + 1] +
                                              sum[x + 2] + sum[x + 3] + sum[x + 4]) * (1.0f / 81.0f);
        const u8 *next = row_of(luma, clamped(y + PASS + 1, height - 1));
        const u8 *last = row_of(luma, clamped(y - PASS, height - 1));
        INDEPENDENT
        for (i32 x = 0; x < width; x++) sum[x] += next[x] - last[x];
    }
}

/* sums over cells; the last of a row or column may hold fewer pixels */
INLINE void sum_cells(const float *restrict from, float *restrict to, i32 width, i32 height, i32 cell) {
    const i32 across = cells_of(width, cell), down = cells_of(height, cell);
    for (i32 i = 0; i < across * down; i++) to[i] = 0.0f;
    for (i32 y = 0; y < height; y++) {
        const float *row = from + (ptrdiff_t)y * width;
        float *out = to + y / cell * across;
        for (i32 x = 0; x < width / cell; x++) {
            float sum = 0.0f;
            for (i32 i = 0; i < cell; i++) sum += row[x * cell + i];
            out[x] += sum;
        }
        for (i32 x = width / cell * cell; x < width; x++) out[across - 1] += row[x];
    }
}

/* each cell with its eight neighbours, in place; beyond the border cells repeat */
INLINE void sum_around(float *cells, float *restrict copy, i32 across, i32 down) {
    memcpy(copy, cells, sizeof(float) * (size_t)(across * down));
    for (i32 y = 0; y < down; y++)
        for (i32 x = 0; x < across; x++) {
            float sum = 0.0f;
            for (i32 j = -1; j <= 1; j++)
                for (i32 i = -1; i <= 1; i++)
                    sum += copy[clamped(y + j, down - 1) * across + clamped(x + i, across - 1)];
            cells[y * across + x] = sum;
        }
}

/* cells to pixels, bilinear; row: a row of cells and two */
INLINE void spread_cells(const float *cells, float *restrict to, float *row, i32 width, i32 height, i32 cell) {
    const i32 across = cells_of(width, cell), down = cells_of(height, cell);
    const float step = 1.0f / (float)cell;
    float *restrict mixed = row + 1;
    for (i32 y = 0; y < height; y++) {
        float where = ((float)y + 0.5f) * step - 0.5f;
        i32 first = (i32)floorf(where);
        float share = where - (float)first;
        const float *a = cells + clamped(first, down - 1) * across, *b = cells + clamped(first + 1, down - 1) * across;
        INDEPENDENT
        for (i32 x = 0; x < across; x++) mixed[x] = a[x] + share * (b[x] - a[x]);
        mixed[-1] = mixed[0], mixed[across] = mixed[across - 1];
        float *out = to + (ptrdiff_t)y * width;
        for (i32 x = 0; x < across; x++) {
            const float left = mixed[x - 1], here = mixed[x], right = mixed[x + 1];
            float whole[CELL];
            for (i32 i = 0; i < cell / 2; i++) {
                whole[i] = left + (((float)i + 0.5f) * step + 0.5f) * (here - left);
                whole[cell / 2 + i] = here + ((float)i + 0.5f) * step * (right - here);
            }
            const i32 many = width - x * cell < cell ? width - x * cell : cell;
            if (many == cell)
                for (i32 i = 0; i < cell; i++) out[x * cell + i] = whole[i];
            else
                for (i32 i = 0; i < many; i++) out[x * cell + i] = whole[i];
        }
    }
}

/* 3 by 3: whether any pixel is set; in place, `copy` of the same size */
INLINE void dilate(u8 *plane, u8 *restrict copy, i32 width, i32 height) {
    for (i32 y = 0; y < height; y++) {
        const u8 *row = plane + (ptrdiff_t)y * width;
        u8 *restrict out = copy + (ptrdiff_t)y * width;
        out[0] = row[0] | row[clamped(1, width - 1)];
        out[width - 1] = row[width - 1] | row[clamped(width - 2, width - 1)];
        INDEPENDENT
        for (i32 x = 1; x < width - 1; x++) out[x] = row[x - 1] | row[x] | row[x + 1];
    }
    for (i32 y = 0; y < height; y++) {
        const u8 *a = copy + (ptrdiff_t)clamped(y - 1, height - 1) * width, *b = copy + (ptrdiff_t)y * width;
        const u8 *c = copy + (ptrdiff_t)clamped(y + 1, height - 1) * width;
        u8 *out = plane + (ptrdiff_t)y * width;
        INDEPENDENT
        for (i32 x = 0; x < width; x++) out[x] = a[x] | b[x] | c[x];
    }
}

#endif
