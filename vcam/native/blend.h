/* One row of the blend, see blend.c. */

#ifndef VCAM_BLEND_H
#define VCAM_BLEND_H

#include "common.h"

/* scale: 0 to 1, of 2^14 */
INLINE void blend_row(const u8 *m, const u8 *s, const u8 *b, u8 *to, i32 width, i16 factor, i32 lift) {
    if (factor == 1 << 14 && !lift) {
        INDEPENDENT
        for (i32 x = 0; x < width; x++) {
            u16 share = m[x];
            to[x] = by_255((u16)(share * s[x] + (255 - share) * b[x]));
        }
        return;
    }
    INDEPENDENT
    for (i32 x = 0; x < width; x++) {
        /* the multiplication that keeps the upper half and rounds, as processors have it */
        i16 twice = (i16)(s[x] * 2);
        u16 share = m[x], person = (u16)((((((i32)twice * factor) >> 14) + 1) >> 1) + lift);
        to[x] = by_255((u16)(share * person + (255 - share) * b[x]));
    }
}

INLINE i16 blend_factor(float scale) { return (i16)(scale * (float)(1 << 14) + 0.5f); }

#endif
