#include <complex.h>
#include <fftw3.h>
#include <math.h>
#include <stdlib.h>

#include "core/rng.h"
#include "imageio/synth_internal.h"

#define N BT_TEXTURE_SIZE
#define HALF (N / 2 + 1)

/* White noise whose spectrum is multiplied by f^−γ. FFTW_ESTIMATE, because measured plans differ by run. */
BtStatus bt_texture_create(BtContext *ctx, BtDice *dice, double gamma, double **out) {
  BtStatus st = BT_OK;
  double *field = malloc((size_t)N * N * sizeof *field);
  fftw_complex *spectrum = fftw_malloc((size_t)N * HALF * sizeof *spectrum);
  fftw_plan forward = NULL, backward = NULL;
  *out = NULL;
  if (field && spectrum) {
    forward = fftw_plan_dft_r2c_2d(N, N, field, spectrum, FFTW_ESTIMATE);
    backward = fftw_plan_dft_c2r_2d(N, N, spectrum, field, FFTW_ESTIMATE);
  }
  if (!forward || !backward) {
    st = bt_fail_memory(ctx, "a texture", (double)N * N * 2 * sizeof *field);
    goto done;
  }
  bt_rng_fill_normal(dice->seed, dice->stream, dice->next, (size_t)N * N, field);
  dice->next += (uint64_t)N * N;
  fftw_execute(forward);

  double power = 0.0;
  for (size_t i = 0; i < N; i++)
    for (size_t j = 0; j < HALF; j++) {
      const double fy = i <= N / 2 ? (double)i : (double)i - N, fx = (double)j;
      const double gain = i + j > 0 ? pow(fx * fx + fy * fy, -0.5 * gamma) : 0.0;
      /* Columns within the half spectrum stand for their mirror images too. */
      power += gain * gain * (j == 0 || j == HALF - 1 ? 1.0 : 2.0);
      spectrum[i * HALF + j] *= gain;
    }
  fftw_execute(backward);
  /* The transforms scale by N² together, and white noise has N² power per coefficient. */
  const double scale = 1.0 / (N * sqrt(power));
  for (size_t p = 0; p < (size_t)N * N; p++) field[p] *= scale;
  *out = field;
  field = NULL;

done:
  if (forward) fftw_destroy_plan(forward);
  if (backward) fftw_destroy_plan(backward);
  fftw_free(spectrum);
  free(field);
  return st;
}
