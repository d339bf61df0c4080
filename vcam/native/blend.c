/* vcam/compose/blend.py */

#include "blend.h"

/* out = m * (scale * sample + lift) + (1 - m) * behind, m = mask / 255; scale: 0 to 1 */
EXPORT void vcam_blend(const Plane *mask, const Plane *sample, const Plane *behind, const Plane *out, float scale,
                       i32 lift) {
    const i16 factor = blend_factor(scale);
    for (i32 y = 0; y < out->height; y++)
        blend_row(row_of(mask, y), row_of(sample, y), row_of(behind, y), row_of(out, y), out->width, factor, lift);
}

/* where scratch memory is best begun: at a multiple of so many bytes */
EXPORT_ONE i32 vcam_line(void) { return LINE; }

/* what this library was built from */
EXPORT_ONE uint32_t vcam_fingerprint(void) { return VCAM_FINGERPRINT; }
