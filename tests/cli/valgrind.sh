# Unit tests of files and images, and short runs of the program, under valgrind's memory checker.
. "$(dirname "$0")/lib.sh"

command -v valgrind >/dev/null 2>&1 || skip "there is no valgrind"

suppressions="--suppressions=$source_folder/tests/valgrind.supp"
openmpi=/usr/share/openmpi/openmpi-valgrind.supp
[ ! -e $openmpi ] || suppressions="$suppressions --suppressions=$openmpi"
# Every error and every leak that is certain gives exit code 99.
checker() {
  # shellcheck disable=SC2086 # a list of words
  valgrind --quiet --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite --num-callers=30 \
    $suppressions "$@"
}

build=$BITUNE_BUILD
for name in rng option file json safetensors imageio imageio_files; do
  [ -x "$build/tests/unit/test_$name" ] || failed "test_$name is missing"
  run 0 checker "$build/tests/unit/test_$name"
done
run 0 checker "$build/tests/fuzz/fuzz_image_replay" 20 1

make_clean 2
run 0 checker "$bitune" synth --size 40x30 --count 2 --jobs 2 --quiet -o synth
run 0 checker "$bitune" noise --sigma 25 --jobs 1 --quiet -o noisy clean
run 0 checker "$bitune" learn --sigma 25 --train clean --crop 16 --max-outer 2 --jobs 1 --quiet --log run.csv \
  --checkpoint run.ckpt -o model.json
run 0 checker "$bitune" learn --sigma 25 --train clean --crop 16 --max-outer 3 --jobs 1 --quiet --resume run.ckpt -o model.json
run 0 checker "$bitune" denoise --model model.json --reference clean --tol 1e-3 --jobs 1 --quiet -o restored noisy
run 0 checker "$bitune" eval --model model.json --tol 1e-3 --jobs 2 --json clean
run 0 checker "$bitune" help learn
run 0 checker "$bitune" completion bash
run 2 checker "$bitune" learn --simga 25
head -c 100 clean/leaves-000.png >broken.png
run 1 checker "$bitune" noise --sigma 25 --jobs 1 --quiet -o noisy broken.png
echo '{"format":' >broken.json
run 1 checker "$bitune" eval --model broken.json --jobs 1 --quiet clean
head -c 500 run.ckpt >cut.ckpt
run 1 checker "$bitune" learn --sigma 25 --train clean --crop 16 --jobs 1 --quiet --resume cut.ckpt -o never.json

finish
