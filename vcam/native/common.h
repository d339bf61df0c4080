/* What the compiled loops share.
 *
 * They do in one pass what takes OpenCV several. All of it is optional: without a compiler at installation vcam takes the
 * passes of OpenCV, whose results these equal within one level (tests/native). So the formulas, their constants
 * and their sources stand in the Python file that each loop is named after. A constant that both need is passed; what
 * stands here is a loop's own, as the fixed point that it counts in.
 *
 * No function keeps a pointer, allocates, or fails.
 */

#ifndef VCAM_COMMON_H
#define VCAM_COMMON_H

#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef int16_t i16;
typedef uint16_t u16;
typedef int32_t i32;

/* Samples in rows, `stride` bytes apart; those of a row are neighbours. As vcam/native/__init__.py has it. Where a loop
   takes several planes without another word, they are of one size. */
typedef struct {
    u8 *at;
    ptrdiff_t stride;
    i32 width, height;
} Plane;

#define EXPORT_ONE __attribute__((visibility("default")))

/* One library for all processors of a kind: its loader takes the variant that this one runs fastest. */
#if VCAM_VARIANTS == 2
#define EXPORT EXPORT_ONE __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#elif VCAM_VARIANTS == 1
/* GCC before 12 */
#define EXPORT EXPORT_ONE __attribute__((target_clones("default", "avx2")))
#else
#define EXPORT EXPORT_ONE
#endif

/* becomes part of each variant */
#define INLINE static inline __attribute__((always_inline))

#ifdef __clang__
#define INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#define UNROLLED _Pragma("clang loop unroll_count(8)")
#else
#define INDEPENDENT _Pragma("GCC ivdep")
#define UNROLLED _Pragma("GCC unroll 8")
#endif

/* Bytes that a processor fetches at once. */
enum { LINE = 64 };

INLINE i32 clamped(i32 value, i32 most) { return value < 0 ? 0 : value > most ? most : value; }

/* What is no number becomes 0: places are made of this, and must lie within their arrays whatever comes in. */
INLINE float within(float value, float most) { return value > 0.0f ? value < most ? value : most : 0.0f; }

INLINE u8 *row_of(const Plane *plane, i32 y) { return plane->at + y * plane->stride; }

/* x / 255, rounded, for x up to 255 * 255 */
INLINE u8 by_255(u16 x) {
    x += 128;
    return (u8)((u16)(x + (x >> 8)) >> 8);
}

/* Between which two rows or columns of `small` one of `large` lies, as cv2.INTER_LINEAR has it: the first of them, and
   the second's share. */
INLINE i32 place(i32 at, i32 large, i32 small, float *share) {
    float where = ((float)at + 0.5f) * (float)small / (float)large - 0.5f;
    where = where < 0.0f ? 0.0f : where;
    i32 first = (i32)where > small - 2 ? small - 2 : (i32)where;
    *share = within(where - (float)first, 1.0f);
    return first;
}

#endif
