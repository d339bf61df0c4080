/* Samples taken from a table of bytes. */

#ifndef VCAM_TABLE_H
#define VCAM_TABLE_H

#include "common.h"

/* Apart and without promises: what compilers make of a table of bytes with vectors takes twice the time, and so does
   the loop where it has to share the registers of others. `to` may be `samples`. */
static __attribute__((noinline, unused)) void look_up(const u8 *curve, const u8 *samples, u8 *to, i32 width) {
    UNROLLED
    for (i32 x = 0; x < width; x++) to[x] = curve[samples[x]];
}

#endif
