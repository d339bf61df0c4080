/* vcam/compose/blend.py */

#include "common.h"

/* out = m * (k * sample + lift) + (1 - m) * behind, m = mask / 255; k as k * 2^14, or 0 for a sample as it is */
EXPORT void vcam_blend(const u8 *mask, ptrdiff_t mask_stride, const u8 *sample, ptrdiff_t sample_stride,
                       const u8 *behind, ptrdiff_t behind_stride, u8 *out, ptrdiff_t out_stride, i32 width, i32 height,
                       i32 k, i32 lift) {
    for (i32 y = 0; y < height; y++) {
        if (k) {
            INDEPENDENT
            for (i32 x = 0; x < width; x++) {
                /* the multiplication that keeps the upper half and rounds, as processors have it */
                i16 twice = (i16)(sample[x] * 2), factor = (i16)k;
                u16 m = mask[x], person = (u16)((((((i32)twice * factor) >> 14) + 1) >> 1) + lift);
                out[x] = by_255((u16)(m * person + (255 - m) * behind[x]));
            }
        } else {
            INDEPENDENT
            for (i32 x = 0; x < width; x++) {
                u16 m = mask[x];
                out[x] = by_255((u16)(m * sample[x] + (255 - m) * behind[x]));
            }
        }
        mask += mask_stride, sample += sample_stride, behind += behind_stride, out += out_stride;
    }
}

/* what this library was built from */
EXPORT_ONE uint32_t vcam_fingerprint(void) { return VCAM_FINGERPRINT; }
