/* vcam/infer/onnxruntime.py */

#include "common.h"

/* Pixels at once. While they are made, the memory of the next is asked for: between two frames it has left the caches. */
enum { BLOCK = 256 };

/* pixels: three samples each; planes: three of `count` numbers; plane = factor * sample + offset */
EXPORT void vcam_scale(const u8 *restrict pixels, float *planes, i32 count, const float *factors, const float *offsets) {
    float *restrict first = planes, *restrict second = planes + count, *restrict third = planes + 2 * (ptrdiff_t)count;
    const float f = factors[0], g = factors[1], h = factors[2], o = offsets[0], p = offsets[1], q = offsets[2];
    for (i32 start = 0; start < count; start += BLOCK) {
        const i32 end = clamped(start + BLOCK, count), next = clamped(end + BLOCK, count);
        for (i32 i = end; i < next; i += LINE / (i32)sizeof(float)) {
            __builtin_prefetch(first + i, 1);
            __builtin_prefetch(second + i, 1);
            __builtin_prefetch(third + i, 1);
        }
        INDEPENDENT
        for (i32 i = start; i < end; i++) {
            first[i] = f * (float)pixels[3 * i] + o;
            second[i] = g * (float)pixels[3 * i + 1] + p;
            third[i] = h * (float)pixels[3 * i + 2] + q;
        }
    }
}
