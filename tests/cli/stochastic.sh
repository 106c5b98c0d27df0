# Learning by ISGD: the same model from any number of processes and across interruptions, to the last bit.
. "$(dirname "$0")/lib.sh"

"$bitune" synth --size 40x48 --count 3 --seed 3 --quiet -o clean
"$bitune" synth --size 48x48 --count 2 --seed 8 --quiet -o other

small="--regularizer foe --filters 4 --filter-size 3 --sigma 25 --train clean --crop 24x32 --batch 4 --quiet"
# learn OPTIONS …
# shellcheck disable=SC2086
learn() { "$bitune" learn $small "$@"; }

# ISGD is what learns fields of experts unless told otherwise.
run 0 learn --iterations 20 --jobs 1 -o one.json --log one.csv
equal "$(field one.json training.settings.method)" auto
equal "$(field one.json training.reason)" "all iterations done"
equal "$(field one.json training.outer_iterations)" 20
equal "$(field one.json training.windows)" 4
equal "$(wc -l <one.csv)" 21
head -n 1 one.csv >out
check "the log has no groups" grep -q ',loss_mean,psnr_valid,log_weight_mean,log_weight_min,.*,filter_max$' out
run 0 learn --method isgd --iterations 20 --jobs 2 -o two.json --log two.csv
same_model one.json two.json
same_log one.csv two.csv
run 0 learn --iterations 20 --jobs 3 -o three.json
same_model one.json three.json
run 0 learn --iterations 20 --seed 2 -o other_seed.json
check "the seed has no effect" [ "$(field one.json regularizer.theta)" != "$(field other_seed.json regularizer.theta)" ]

run 0 learn --iterations 20 --max-work 1 -o budget.json
equal "$(field budget.json training.reason) $(field budget.json training.outer_iterations)" "budget used up 1"

# It learns: on images it has not seen, better than where it started.
for n in 0 60; do
  run 0 learn --iterations $n --valid other --valid-every 20 -o "after_$n.json" --log "after_$n.csv" --json
  cp out "result_$n.json"
done
before=$(field result_0.json psnr_valid)
after=$(field result_60.json psnr_valid)
holds "$after > $before + 0.1"
equal "$(field after_0.json training.outer_iterations)" 0
# The glance at iteration 60 is at the very images of the evaluation, less accurately solved.
glance=$(awk -F, 'NR == 61 { print $20 }' after_60.csv)
holds "$glance - $after < 0.02 && $after - $glance < 0.02"
equal "$(awk -F, 'NR == 60 { print $20 }' after_60.csv)" nan

# A time limit ends it with a model, and a checkpoint from which the rest follows.
run 0 learn --iterations 100000 --max-seconds 1 --checkpoint time.ckpt -o timed.json
equal "$(field timed.json training.reason)" "time used up"
holds "$(field timed.json training.outer_iterations) > 0 && $(field timed.json training.outer_iterations) < 100000"
exists time.ckpt

# Interrupted and gone on with: the learned model is written at the interruption, and the end is that of an unbroken run.
run 0 learn --iterations 400 --jobs 1 -o unbroken.json --log unbroken.csv
# shellcheck disable=SC2086
env --default-signal=INT "$bitune" learn $small --iterations 400 --jobs 1 --checkpoint run.ckpt -o broken.json \
  --log broken.csv >out 2>err &
process=$!
until_filled run.ckpt
kill -INT $process
wait $process
equal $? 130
says "--resume run.ckpt"
exists broken.json
holds "$(field broken.json training.outer_iterations) < 400"
run 0 "$bitune" denoise --quiet --model broken.json -o denoised clean
run 0 learn --iterations 400 --jobs 2 --resume run.ckpt -o broken.json --log broken.csv
same_answer_of_windows() {
  for path in sigma regularizer training.loss training.outer_iterations; do
    equal "$path $(field "$1" $path)" "$path $(field "$2" $path)"
  done
}
same_answer_of_windows unbroken.json broken.json
same_course unbroken.csv broken.csv

# Another batch, window or regularizer is another run.
refuses 1 "windows" learn --iterations 400 --resume run.ckpt --batch 5 -o no.json
refuses 1 "windows" learn --iterations 400 --resume run.ckpt --crop 32x24 -o no.json
refuses 1 "filters" learn --iterations 400 --resume run.ckpt --filters 3 -o no.json
refuses 1 "method" learn --resume run.ckpt --method maid -o no.json

# Starts: random by seed, from a model of this or another noise level, never from one of another kind.
run 0 learn --iterations 0 --init random -o random_1.json
run 0 learn --iterations 0 --init random --seed 2 -o random_2.json
check "random starts are equal" [ "$(field random_1.json regularizer.theta)" != "$(field random_2.json regularizer.theta)" ]
run 0 learn --iterations 0 --start after_60.json -o again.json
equal "$(field again.json regularizer.theta)" "$(field after_60.json regularizer.theta)"
run 0 "$bitune" learn --regularizer foe --filters 4 --filter-size 3 --sigma 15 --train clean --crop 24 --batch 2 --quiet \
  --iterations 2 --start after_60.json -o level_15.json
equal "$(field level_15.json sigma)" 15.0
refuses 2 "a model of foe convex with 45 parameters" "$bitune" learn --regularizer foe --sigma 25 --train clean \
  --start after_60.json -o no.json
refuses 2 "tv has no random start" "$bitune" learn --sigma 25 --train clean --init random -o no.json
refuses 2 "--filters" "$bitune" learn --sigma 25 --train clean --filters 4 -o no.json

# Each variant; and the same method on two parameters.
for variant in convex log weak; do
  run 0 learn --variant $variant --iterations 3 -o "$variant.json"
  equal "$(field $variant.json regularizer.variant)" $variant
done
equal "$(field weak.json training.certificate)" proven
run 0 "$bitune" learn --method isgd --sigma 25 --train clean --crop 32 --batch 4 --iterations 50 --quiet -o tv.json
has tv.json training.theta

# Random windows for MAID: fixed ones, the same from any number of processes.
for jobs in 1 2; do
  run 0 "$bitune" learn --sigma 25 --train clean --crops 7 --crop 32x24 --max-outer 4 --jobs $jobs --quiet \
    -o "windows_$jobs.json"
done
same_model windows_1.json windows_2.json
equal "$(field windows_1.json training.windows)" 7
equal "$(field windows_1.json training.certificate)" proven
refuses 2 "--crops" learn --crops 3 -o no.json

# Windows that do not fit.
refuses 1 "large enough" learn --crop 50x50 -o no.json
run 0 learn --crop 48x40 --iterations 1 -o turned.json

absent no.json
no_leftovers
finish
