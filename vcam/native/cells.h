/* Planes of numbers in windows and in cells, for the loops of room memory. */

#ifndef VCAM_CELLS_H
#define VCAM_CELLS_H

#include "room.h"

/* what reaches out of a row is as its ends are */
INLINE void repeat_ends(float *row, i32 width, i32 reach) {
    for (i32 i = 1; i <= reach; i++) row[-i] = row[0], row[width - 1 + i] = row[width - 1];
}

/* the sums of columns, of so many rows as a cell is high, become a row of sums over cells; the last may hold fewer pixels */
INLINE void fold_columns(const float *columns, float *restrict cells, i32 width, i32 cell) {
    const i32 across = cells_of(width, cell), whole = width / cell;
    for (i32 x = 0; x < whole; x++) {
        float sum = 0.0f;
        for (i32 i = 0; i < cell; i++) sum += columns[x * cell + i];
        cells[x] = sum;
    }
    for (i32 x = whole; x < across; x++) {
        cells[x] = 0.0f;
        for (i32 i = x * cell; i < width; i++) cells[x] += columns[i];
    }
}

/* each cell with its eight neighbours, in place; beyond the border cells repeat. copy: of the same size, and `across`
   more */
INLINE void sum_around(float *cells, float *restrict copy, i32 across, i32 down) {
    float *restrict columns = copy + across * down;
    memcpy(copy, cells, sizeof(float) * (size_t)(across * down));
    for (i32 y = 0; y < down; y++) {
        const float *a = copy + clamped(y - 1, down - 1) * across, *b = copy + y * across;
        const float *c = copy + clamped(y + 1, down - 1) * across;
        float *restrict to = cells + y * across;
        INDEPENDENT
        for (i32 x = 0; x < across; x++) columns[x] = a[x] + b[x] + c[x];
        to[0] = columns[0] + columns[0] + columns[clamped(1, across - 1)];
        to[across - 1] = columns[clamped(across - 2, across - 1)] + columns[across - 1] + columns[across - 1];
        INDEPENDENT
        for (i32 x = 1; x < across - 1; x++) to[x] = columns[x - 1] + columns[x] + columns[x + 1];
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
