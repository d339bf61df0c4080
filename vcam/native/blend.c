/* vcam/compose/blend.py */

#include "common.h"

/* out = m * (scale * sample + lift) + (1 - m) * behind, m = mask / 255; scale: 0 to 1 */
EXPORT void vcam_blend(const Plane *mask, const Plane *sample, const Plane *behind, const Plane *out, float scale,
                       i32 lift) {
    const i32 width = out->width, height = out->height, as_it_is = scale == 1.0f && !lift;
    const i16 factor = (i16)(scale * (float)(1 << 14) + 0.5f);
    for (i32 y = 0; y < height; y++) {
        const u8 *m = row_of(mask, y), *s = row_of(sample, y), *b = row_of(behind, y);
        u8 *to = row_of(out, y);
        if (as_it_is) {
            INDEPENDENT
            for (i32 x = 0; x < width; x++) {
                u16 share = m[x];
                to[x] = by_255((u16)(share * s[x] + (255 - share) * b[x]));
            }
        } else {
            INDEPENDENT
            for (i32 x = 0; x < width; x++) {
                /* the multiplication that keeps the upper half and rounds, as processors have it */
                i16 twice = (i16)(s[x] * 2);
                u16 share = m[x], person = (u16)((((((i32)twice * factor) >> 14) + 1) >> 1) + lift);
                to[x] = by_255((u16)(share * person + (255 - share) * b[x]));
            }
        }
    }
}

/* where scratch memory is best begun: at a multiple of so many bytes */
EXPORT_ONE i32 vcam_line(void) { return LINE; }

/* what this library was built from */
EXPORT_ONE uint32_t vcam_fingerprint(void) { return VCAM_FINGERPRINT; }
