/* imageio/synth.h: synthetic images for samples and tests. Every image depends on (seed, index) alone. */
#ifndef BITUNE_IMAGEIO_SYNTH_H
#define BITUNE_IMAGEIO_SYNTH_H

#include "imageio/image.h"

typedef enum { BT_SYNTH_LEAVES, BT_SYNTH_PHANTOM } BtSynthKind;

/* Dead leaves (Lee, Mumford, Huang 2001): occluding discs, ellipses and polygons with radii of density ∝ r⁻³
 * between 1 pixel and the image's size, anti-aliased, each with its own gray (or colour), shading gradient
 * and a texture of power-law spectrum, busy places alternating with calm ones as in photographs; phantoms are
 * superposed ellipses and bars on a smooth ground. 8-bit sample type, values k/255 in [0,1], so that a file
 * keeps them exactly. colors is 1 or 3. FFTW plans the textures, so calls from several threads at once need a
 * lock. Errors: BT_ERR_ARG, BT_ERR_MEMORY. */
BtStatus bt_synth(BtContext *ctx, BtSynthKind kind, size_t width, size_t height, int colors,
                  unsigned long long seed, unsigned long long index, BtImage *image);

#endif
