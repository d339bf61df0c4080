/* vcam/segment/chroma/key.py */

#include "common.h"

/* The matte of a coloured screen, and the chroma of the person without its spill. u, v: chroma; factors and offsets:
   from a sample's share of the screen's colour to how much of the screen is seen there, dense, as many as there are
   samples; along: the unit vector of that colour, how far its hue reaches, how far that of its
   spill does, and the most of the screen that a share allows for. */
EXPORT void vcam_key(const Plane *u, const Plane *v, const float *factors, const float *offsets, const float *along,
                     float low, float gain, const Plane *matte, const Plane *clean_u, const Plane *clean_v) {
    const i32 width = u->width, height = u->height;
    const float by_u = along[0], by_v = along[1], reach = along[2], spills = along[3];
    const float most = along[4];
    for (i32 y = 0; y < height; y++) {
        const u8 *from_u = row_of(u, y), *from_v = row_of(v, y);
        const float *factor = factors + (ptrdiff_t)y * width, *offset = offsets + (ptrdiff_t)y * width;
        u8 *to = row_of(matte, y), *to_u = row_of(clean_u, y), *to_v = row_of(clean_v, y);
        INDEPENDENT
        for (i32 x = 0; x < width; x++) {
            float a = (float)from_u[x] - 128.0f, b = (float)from_v[x] - 128.0f;
            float ahead = a * by_u + b * by_v, across = a * by_v - b * by_u;
            across = across < 0.0f ? -across : across;
            float share = ahead - reach * across, clear = share * factor[x] + offset[x], allowed = share * most - 0.25f;
            clear = within(((clear < allowed ? clear : allowed) - low) * gain, 1.0f);
            float green = ahead - spills * across;
            green = green > 0.0f ? green : 0.0f;
            to[x] = (u8)(255.5f - 255.0f * clear);
            to_u[x] = (u8)within(a - green * by_u + 128.5f, 255.0f);
            to_v[x] = (u8)within(b - green * by_v + 128.5f, 255.0f);
        }
    }
}
