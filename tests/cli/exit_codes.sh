# 0 done, 1 error, 2 usage, 3 finished but not certified, 130 interrupted.
. "$(dirname "$0")/lib.sh"

make_model
run 0 "$bitune" eval --model model.json clean
run 1 "$bitune" eval --model nowhere.json clean
run 2 "$bitune" eval --modell model.json clean
run 2 "$bitune"
run 0 "$bitune" --version
run 0 "$bitune" --help

# What PETSc has to say of its options, and whose they are.
mkdir one
cp "$(find clean -name '*.png' | sort | head -1)" one
refuses 1 "Unknown logical value: oops" "$bitune" denoise --model model.json -o never --petsc oops one
for option in '-bt_tao_gatol oops' '-bt_pc_type oops' '-bt_ksp_max_it 1.5'; do
  run 1 "$bitune" denoise --model model.json --petsc "$option" -o never one
  says "options: $option"
done
# What is wrong with the solver's options is told once, not by each of four images; a type that they name works.
refuses 1 "Unable to find requested Tao type nonsense" "$bitune" denoise --model model.json -o never \
  --petsc "-bt_tao_type nonsense" clean
run 0 "$bitune" denoise --model model.json -o newton --quiet --petsc "-bt_tao_type nls" one
run 1 "$bitune" denoise --model model.json --solver bt_lbfgs --petsc '-bt_tao_bt_lbfgs_memory 99' -o never one
says "-bt_tao_bt_lbfgs_memory must be 1 to 32, is 99"

# Not certified: an accuracy that cannot be reached, or too few iterations. The best point is written all the same.
run 3 "$bitune" eval --model model.json --tol 1e-300 --json clean
equal "$(field out certified)" false
check "--tol 1e-300 has no PSNR" [ "$(field out psnr_mean)" != null ]
run 3 "$bitune" denoise --model model.json --tol 1e-300 --json -o restored clean
equal "$(field out certified)" false
equal "$(find restored -name '*.png' | wc -l | tr -d ' ')" 4
run 3 "$bitune" denoise --model model.json --max-lower 1 --json -o few clean
equal "$(field out results.0.certified)" false
holds "$(field out results.0.bound) > $(field out settings.tol)"

# interrupts SIGNAL FILE COMMAND …: sent once FILE holds something, the signal ends the command with 130 and a line.
# Shells start background jobs with SIGINT ignored; `env` puts the default back.
interrupts() {
  signal=$1
  sign=$2
  shift 2
  rm -f "$sign"
  env --default-signal=INT "$@" >out 2>err </dev/null &
  process=$!
  until_filled "$sign"
  kill -"$signal" $process
  wait $process
  code=$?
  if [ $code -eq 130 ]; then passed; else failed "exit code $code instead of 130 after $signal: $*"; fi
  says interrupted
}

env --default-signal=INT true || failed "env has no --default-signal (coreutils 8.31 has)"
"$bitune" synth --size 160x160 --count 6 --seed 3 --quiet -o large
learn="learn --sigma 25 --train large --tolerance 1e-9 --quiet -o interrupted.json"
# shellcheck disable=SC2086 # a list of words
{
  interrupts INT run.ckpt "$bitune" $learn --checkpoint run.ckpt
  says "--resume run.ckpt"
  exists run.ckpt
  interrupts TERM run.ckpt "$bitune" $learn --checkpoint run.ckpt --jobs 1
  interrupts INT run.csv "$bitune" $learn --log run.csv
  says "without a checkpoint"
  absent interrupted.json
}

# What was restored before the interruption stays, nothing is half-written.
interrupts INT stopped/leaves-000.png \
  "$bitune" denoise --model model.json --solver bt_fista --tol 1e-9 --jobs 1 -o stopped large
absent stopped/leaves-005.png
no_leftovers

finish
