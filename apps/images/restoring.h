/* apps/images/restoring.h: what commands share that turn degraded images into restored ones: files of many pages in and out,
 * comparison with references, the report of quality and certificates. */
#ifndef BITUNE_APPS_RESTORING_H
#define BITUNE_APPS_RESTORING_H

#include "imageio/image.h"
#include "images/degradation.h"
#include "lowerlevel/denoiser.h"
#include "program/app.h"

/* Restores one page in place: BT_OK, BT_NOT_CERTIFIED, BT_STOPPED or an error, as bt_denoiser_apply(). */
typedef BtStatus BtRestorePage(void *user, BtContext *ctx, const char *path, size_t page, BtImage *image,
                               BtDenoised *result);

#define BT_RESTORING_NOTES 5

typedef struct {
  const char *output, *reference; /* folders; reference may be NULL                               */
  double white;                   /* as bt_image_open()                                           */
  const char *before, *after;     /* in reports: "noisy", "denoised"; keys "psnr_noisy", "psnr"    */
  const BtDegradation *degradation; /* whose files must not be overwritten; NULL: none             */
  BtRestorePage *restore;
  void *user;
  /* Optional, both or none: what the caller remembers of a page that was just restored is added to notes, which are 0 at the
   * file's first page; afterwards, on rank 0, it is told of a file by fields of `row` and by text[size] for its line. */
  void (*note)(void *user, double notes[BT_RESTORING_NOTES]);
  void (*tell)(void *user, const double notes[BT_RESTORING_NOTES], json_t *row, char *text, size_t size);
} BtRestoring;

/* Restores the images that the operands name and reports them. `prepared` is the status of the caller's own preparation,
 * agreed upon here so that no rank goes on alone. Collective. Returns BT_NOT_CERTIFIED if an image was not solved as asked, BT_STOPPED, or an error. */
BtStatus bt_restore_files(BtApp *app, const BtRestoring *restoring, BtStatus prepared);

#endif
