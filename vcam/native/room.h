/* What the loops of room memory share: vcam/segment/emptyroom/light.py and vcam/segment/emptyroom/evidence.py, whose
 * constants come in the order of `Terms`. */

#ifndef VCAM_ROOM_H
#define VCAM_ROOM_H

#include "common.h"
#include <math.h>
#include <string.h>

/* as vcam/native/room.py has it */
typedef struct {
    float sure, least, stiff, gain_low, gain_high, medians, levels, doubt, belief, grain, slowly;
    float faint, loudest, floor_y, floor_u, floor_v, slipped;
    float person, luma, chroma, prior_luma, prior_chroma, prior_weight, spread, least_person, half_at, middle, loudest_sum;
    float against, against_texture, for_one, same_texture, textured, alike_low, alike_high, shade_low, shade_high;
    float clip_low, clip_high, dark, black, close, hold, calm, change, most;
    float large, contradicts, usual, too_much, recovery, ghost, steady;
    i32 guard, reach;
} Terms;

/* The plate of a map of width * height, even; half its size: half, u, v, known and their slopes, that of luma as the mean
   of four. */
typedef struct {
    i32 width, height;
    const u8 *y, *half, *u, *v, *known;
    const float *texture, *power, *slope_y, *slope_half, *slope_u, *slope_v;
} Room;

/* What is found, planes of half the size: three of drift, noise of luma and of all, person, lit, residual of luma. */
enum { DRIFT, NOISE_Y = 3, NOISE, PERSON_, LIT, RESIDUAL, FOUND };
/* and numbers */
enum { GAIN, OFFSET = 3, AGREEMENT = 6, BELIEVED, GATE, SHARE, TRUST, TOLD };

/* half-size pixels of a cell, of light and of a person; of the luma's window at each side, and of the likeness's */
enum { CELL = 8, NEAR = 4, PASS = 4, WINDOW = 3 };
/* Room before and after a row, for what reaches out of it; rows that are worked on at a time. */
enum { EDGE = 64, ROWS = 16 };

INLINE float least_of(float a, float b) { return a < b ? a : b; }
INLINE float most_of(float a, float b) { return a > b ? a : b; }
INLINE float bounded(float x, float low, float high) { return most_of(low, least_of(x, high)); }

/* e^x for -20 to 20, by a polynomial of 2^x, to 1e-4 */
INLINE float power_of_e(float x) {
    x *= 1.44269504f;
    float whole = floorf(x), rest = x - whole;
    float fine = 1.0f + rest * (0.69583282f + rest * (0.22606716f + rest * 0.078024523f));
    union { i32 bits; float value; } scale = {.bits = ((i32)whole + 127) << 23};
    return scale.value * fine;
}

/* e^x for -20 to 20, to 1e-12, for what is had once a call. expf would tie the library to the glibc of whoever builds it:
   what is linked against it today asks for a version from 2.27. */
INLINE double exact_power_of_e(double x) {
    double part = x / 1024.0, term = 1.0, power = 1.0;
    for (i32 n = 1; n < 7; n++) {
        term *= part / n;
        power += term;
    }
    for (i32 n = 0; n < 10; n++)
        power *= power;
    return power;
}

/* ln x for x from 1, by a polynomial of the mantissa, to 2e-4 */
INLINE float logarithm(float x) {
    union { float value; i32 bits; } number = {.value = x};
    float exponent = (float)((number.bits >> 23) - 127);
    number.bits = (number.bits & 0x7fffff) | 0x3f800000;
    float m = number.value, square = m * m;
    float fine = -1.7417939f + m * (2.8212026f + m * (-1.4699568f + m * 0.44717955f)) - 0.056570851f * square * square;
    return 0.69314718f * (exponent + fine);
}

INLINE i32 cells_of(i32 side, i32 cell) { return (side + cell - 1) / cell; }

#endif
