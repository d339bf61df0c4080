/* vcam/segment/onnxruntime_engine.py */

#include "common.h"

/* pixels: three samples each; planes: three of `count` numbers; plane = factor * sample + offset */
EXPORT void vcam_scale(const u8 *restrict pixels, float *planes, i32 count, const float *factors, const float *offsets) {
    float *restrict first = planes, *restrict second = planes + count, *restrict third = planes + 2 * (ptrdiff_t)count;
    const float f = factors[0], g = factors[1], h = factors[2], o = offsets[0], p = offsets[1], q = offsets[2];
    INDEPENDENT
    for (i32 i = 0; i < count; i++) {
        first[i] = f * (float)pixels[3 * i] + o;
        second[i] = g * (float)pixels[3 * i + 1] + p;
        third[i] = h * (float)pixels[3 * i + 2] + q;
    }
}
