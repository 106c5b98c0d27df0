# What `cmake --install` leaves is complete: the program runs, and a C program builds against the library with
# pkg-config alone.
. "$(dirname "$0")/lib.sh"

build=${BITUNE_BUILD:-$(dirname "$BITUNE")/..}
command -v cmake >/dev/null 2>&1 || skip "there is no cmake"
command -v pkg-config >/dev/null 2>&1 || skip "there is no pkg-config"
compiler=$(command -v "${CC:-cc}") || skip "there is no C compiler"

run 0 cmake --install "$build" --prefix "$work/prefix"
prefix=$work/prefix
run 0 "$prefix/bin/bitune" --version
for page in bitune bitune-learn bitune-denoise bitune-eval; do
  check "no man page $page.1" [ -n "$(find "$prefix" -name "$page.1*")" ]
done
check "no bash completion" [ -n "$(find "$prefix" -path '*bash-completion*' -name bitune)" ]
check "no license" [ -n "$(find "$prefix" -name LICENSE)" ]
check "internal headers are installed" [ -z "$(find "$prefix/include" -name '*_internal.h')" ]

PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name bitune.pc)")
export PKG_CONFIG_PATH
run 0 pkg-config --cflags --libs bitune
check "bitune.pc does not point into the prefix" grep -qF -- "-I$PKG_CONFIG_PATH" out

cat >program.c <<'END'
#include <lowerlevel/denoiser.h>
#include <imageio/file.h>
#include <math.h>
#include <petscsys.h>
#include <regularizers/tv.h>
#include <stdio.h>

int main(int argc, char **argv) {
  BtContext ctx;
  BtImage image = {0};
  BtDenoiser *denoiser = NULL;
  BtDenoised outcome = {0};
  BtLowerSettings settings = {.solver = NULL, .max_iterations = 1000};
  const double theta[] = {-2.7, -5.8};
  const BtRegularizer tv = bt_tv(BT_TV_ISOTROPIC);
  if (argc != 3 || PetscInitialize(&argc, &argv, NULL, NULL)) return 2;
  bt_context_init(&ctx);
  BtStatus st = bt_image_read(&ctx, argv[1], 0, &image);
  if (st >= 0) st = bt_denoiser_create(&ctx, &tv, theta, &settings, BT_COLOR_OPPONENT, &denoiser);
  if (st >= 0) st = bt_denoiser_apply(denoiser, &ctx, 1e-4, &image, &outcome);
  if (st >= 0) st = bt_image_write(&ctx, argv[2], &image);
  if (st < 0) fprintf(stderr, "%s\n", ctx.error);
  printf("%s %d\n", outcome.bound <= 1e-4 ? "within" : "beyond", outcome.proof == BT_PROVEN);
  bt_denoiser_destroy(denoiser);
  bt_image_clear(&image);
  PetscFinalize();
  return st != BT_OK;
}
END
# A sanitized library needs the sanitizers' run-time libraries as well.
sanitizers=$("$bitune" version --json | "$json_get" - build.sanitizers)
[ "$sanitizers" = null ] && sanitizers= || sanitizers=-fsanitize=$sanitizers
# shellcheck disable=SC2046,SC2086 # lists of words
run 0 $compiler -std=c11 -Wall -Werror $sanitizers $(pkg-config --cflags bitune) program.c -o program \
  $(pkg-config --libs bitune)
# Every header stands by itself.
for header in "$prefix"/include/bitune/*/*.h; do
  echo "#include \"$header\"" >header.c
  # shellcheck disable=SC2046,SC2086
  run 0 $compiler -std=c11 -Wall -Wextra -Werror -fsyntax-only $(pkg-config --cflags bitune) header.c
done

make_clean 1
run 0 "$bitune" noise --sigma 25 --quiet -o noisy clean
run 0 env OMPI_MCA_ess_singleton_isolated=1 ./program noisy/leaves-000.png restored.png
equal "$(cat out)" "within 1"
holds "$("$image_tool" psnr restored.png clean/leaves-000.png) > $("$image_tool" psnr noisy/leaves-000.png clean/leaves-000.png) + 3"

finish
