# bitune nn: train, eval and check; resumed and replayed runs; faults. Then the commands of docs/networks.md.
. "$(dirname "$0")/lib.sh"

# Threads that wait do not spin: this machine may have other work.
export OMP_WAIT_POLICY=passive

# without_seconds LOG: its columns but the time.
without_seconds() { cut -d, -f1-9,11- "$1"; }

# A run, its files and its figures.
run 0 "$bitune" nn train --task tiny-mlp --tuner dstn --epochs 5 --threads 1 --log whole.csv --schedule found.csv \
  --checkpoint whole.st --json
cp out whole.json
has whole.json valid_loss valid_accuracy test_loss test_accuracy hyperparameters.dropout_1 epochs seconds \
  examples_per_second best_epoch tuner device
equal "$(field whole.json epochs)" 5
equal "$(wc -l <whole.csv)" 6
equal "$(head -n 1 whole.csv | cut -d, -f12-)" "dropout_input,dropout_1,scale(dropout_input),scale(dropout_1)"
equal "$(tail -n 1 whole.csv | cut -d, -f15)" "$(field whole.json final_scales.dropout_1)"
holds "$(field whole.json final_scales.dropout_1) > 0 && $(field whole.json final_scales.dropout_1) != 0.5"
holds "$(field whole.json valid_loss) < 1.5 && $(field whole.json valid_accuracy) > 0.5"
holds "$(wc -l <found.csv) > 10"
run 0 "$bitune" nn eval whole.st --threads 1 --json
equal "$(field out valid_loss)" "$(field whole.json valid_loss)"
equal "$(field out test_accuracy)" "$(field whole.json test_accuracy)"
run 0 "$bitune" nn eval whole.st --threads 1 --last --json
equal "$(field out test_loss)" "$(field whole.json final_test_loss)"

# The same in two parts, with logs that go on; threads change nothing.
run 0 "$bitune" nn train --task tiny-mlp --tuner dstn --epochs 3 --threads 2 --log part.csv --schedule part-found.csv \
  --checkpoint part.st --quiet
run 0 "$bitune" nn train --resume part.st --epochs 5 --threads 1 --log part.csv --schedule part-found.csv --json
equal "$(field out valid_loss)" "$(field whole.json valid_loss)"
without_seconds whole.csv >a.csv
without_seconds part.csv >b.csv
same a.csv b.csv
same found.csv part-found.csv

# A log without scales, as earlier versions wrote it, goes on without.
run 0 "$bitune" nn train --task tiny-mlp --tuner dstn --epochs 3 --threads 1 --log full.csv --checkpoint old.st --quiet
cut -d, -f1-13 full.csv >old.csv
run 0 "$bitune" nn train --resume old.st --epochs 5 --threads 1 --log old.csv --quiet
without_seconds old.csv >b.csv
without_seconds whole.csv | cut -d, -f1-12 >a.csv
same a.csv b.csv

# A time limit ends a run well, and it can go on.
run 0 "$bitune" nn train --task tiny-mlp --tuner stn --threads 1 --max-seconds 0.05 --checkpoint limit.st --json
equal "$(field out reason)" "time used up"
run 0 "$bitune" nn train --resume limit.st --threads 1 --quiet

# Data that take minutes to generate do not hold a stop up.
"$bitune" nn train --task tiny-mlp --print-task | sed 's/"count": 1500/"count": 9000000/' >many.json
for action in train "search -o many"; do
  # shellcheck disable=SC2086 # a list of words
  run 130 timeout --preserve-status --kill-after=20 1 "$bitune" nn $action --task many.json --threads 1 --jobs 2
done
run 130 timeout --preserve-status --kill-after=20 1 "$bitune" nn train --hdet lr --task many.json --threads 1 --jobs 2
says "stopped before the training began"
absent many

# Nor do those of the checks, which are few.
for seconds in 0.04 0.08 0.12 0.16 0.2 0.25 0.3; do
  timeout --preserve-status $seconds "$bitune" nn check --threads 1 >out 2>err
  case $? in
    0 | 130 | 143) passed ;; # done before, stopped, or not begun
    *) failed "a check that was stopped after $seconds s: $(tail -n 1 err)" ;;
  esac
done

# A budget that no run can use up is none; epochs whose work cannot be counted are refused.
run 0 "$bitune" nn train --task tiny-mlp --tuner dstn --threads 1 --max-work 9223372036854775807 --max-seconds 0.05 --json
equal "$(field out reason)" "time used up"
refuses 1 "tiny-mlp: 9223372036854775807 epochs take 9.22e+21 gradients" \
  "$bitune" nn train --task tiny-mlp --epochs 9223372036854775807

# A schedule is followed.
run 0 "$bitune" nn train --task tiny-mlp --replay found.csv --epochs 5 --threads 1 --json
equal "$(field out final_hyperparameters.dropout_1 | cut -c1-6)" \
  "$(field whole.json final_hyperparameters.dropout_1 | cut -c1-6)"
printf 'step,dropout_input\n0,0.1\n' >short.csv
refuses 1 'short.csv: there is no column "dropout_1"' "$bitune" nn train --task tiny-mlp --replay short.csv
printf 'step,dropout_input,dropout_1\n0,0.1,1.5\n' >outside.csv
refuses 1 "outside.csv: row 1: dropout_1 = 1.5 is outside its range" "$bitune" nn train --task tiny-mlp --replay outside.csv
printf 'step,dropout_input,dropout_1\n1e300,0.1,0.5\n' >late.csv
refuses 1 "late.csv: row 1: its step is no whole number" "$bitune" nn train --task tiny-mlp --replay late.csv
refuses 2 "use --tuner none" "$bitune" nn train --task tiny-mlp --replay found.csv --tuner stn
printf 'step,dropout_input,dropout_1\n0,0.1\n' >ragged.csv
refuses 1 'ragged.csv: row 1: there is no number for "dropout_1"' "$bitune" nn train --task tiny-mlp --replay ragged.csv
printf 'step,dropout_input,dropout_1\n9,0.1,0.1\n3,0.1,0.1\n' >back.csv
refuses 1 "back.csv: row 2: its step lies before" "$bitune" nn train --task tiny-mlp --replay back.csv

run 0 "$bitune" nn check --threads 1 --json
equal "$(field out failed)" 0
equal "$(field out checks.14.check)" gradient

# A small denoiser, from image files.
run 0 "$bitune" synth -o clean --count 6 --size 48x48
printf '%s' '{"data": {"kind": "images", "valid_share": 0.3, "patch": 16, "patches": 20}, "batch": 10, "epochs": 6,
  "hyperparameters": [{"name": "decay", "low": 0, "log": true, "initial": 1e-6, "per_batch": true}],
  "model": {"layers": [{"type": "residual", "layers": [{"type": "conv2d", "out": 8, "pad": 1}, {"type": "batch-norm"},
    {"type": "relu"}, {"type": "conv2d", "out": 1, "pad": 1}]}], "l2": "decay"},
  "optimizer": {"kind": "adam", "rate": 0.003}, "tuning": {"warm_up_epochs": 1}}' >denoiser.json
run 0 "$bitune" nn train --task denoiser.json --data clean --tuner dstn --threads 1 --json
holds "$(field out valid_psnr) > 22"
mkdir nothing
refuses 1 "nothing" "$bitune" nn train --task denoiser.json --data nothing

# Tasks print themselves, and what was printed is a task.
for task in mnist-mlp fmnist-cnn cifar-alexnet cifar-vgg16 cifar-resnet18 ptb-lstm dncnn tiny-mlp tiny-cnn tiny-lstm; do
  run 0 "$bitune" nn train --task $task --print-task
  cp out $task.json
  run 0 "$bitune" nn train --task $task.json --print-task
done

# What is wrong is named.
refuses 2 "--task (or --resume) is required" "$bitune" nn train
refuses 2 "it knows train, eval, search and check" "$bitune" nn fly
refuses 2 "nn eval takes a checkpoint" "$bitune" nn eval
refuses 2 "is named for two files" "$bitune" nn train --task tiny-mlp --log x --schedule ./x
refuses 2 "tiny-mlp.json is named for two files" "$bitune" nn train --task tiny-mlp.json --log tiny-mlp.json
refuses 1 "whole.st: --resume brings another --tuner" "$bitune" nn train --resume whole.st --tuner stn
refuses 1 "whole.st: --resume brings another --seed" "$bitune" nn train --resume whole.st --seed 7
refuses 1 "nowhere/x.st: cannot write" "$bitune" nn train --task tiny-mlp --epochs 1000000 --checkpoint nowhere/x.st
refuses 1 "nothing.json" "$bitune" nn train --task nothing.json
refuses 1 "--data is required" "$bitune" nn train --task mnist-mlp
mkdir empty
refuses 1 "empty: no train-images-idx3-ubyte" "$bitune" nn train --task mnist-mlp --data empty
refuses 1 "device" "$bitune" nn train --task tiny-mlp --device cuda:99
refuses 1 "abacus" "$bitune" nn train --task tiny-mlp --device abacus
sed 's/"initial": 0.05/"initial": 1.5/' tiny-mlp.json >far.json
refuses 1 "far.json: hyperparameter 1: dropout_input = 1.5 is outside its range (0, 0.95)" "$bitune" nn train --task far.json
sed 's/"type": "relu"/"type": "rely"/' tiny-mlp.json >rely.json
refuses 1 "rely.json: layer 4 (rely): there is no such layer" "$bitune" nn train --task rely.json
printf '%s' '{"data": {"kind": "linear", "count": 400, "test_count": 50}, "batch": 40, "epochs": 40,
  "model": {"layers": [{"type": "linear", "out": 1}]}, "optimizer": {"kind": "sgd", "rate": 0.05}}' >line.json
run 0 "$bitune" nn train --task line.json --threads 1 --json
holds "$(field out test_loss) < 2"
equal "$(field out test_accuracy)" MISSING
sed 's/0.05/1e6/' line.json >wild.json
refuses 1 "no checkpoint has been written" "$bitune" nn train --task wild.json --threads 1
says "diverged in step" "(epoch 1)" "the first tensor that is not is"
sed 's/0.05/1.5/' line.json >later.json
refuses 1 "the last good state is in later.st" "$bitune" nn train --task later.json --threads 1 --checkpoint later.st
run 0 "$bitune" nn eval later.st --threads 1
refuses 1 "has no hyperparameters to tune" "$bitune" nn train --task line.json --tuner dstn
sed 's/"kind": "linear"/&, "valid_share": 2/' line.json >share.json
refuses 1 'share.json: data: "valid_share" must be in [0, 0.9]' "$bitune" nn train --task share.json
sed 's/"kind": "linear", "count": 400/"kind": "table", "data": "one.csv"/' line.json >one.json
echo 1,2 >one.csv
sed 's/"name": "dropout_1"/"name": "step"/' tiny-mlp.json >step.json
refuses 1 'hyperparameter 2: "step" is the training step' "$bitune" nn train --task step.json
sed 's/"name": "dropout_1"/"name": "scale(dropout_input)"/' tiny-mlp.json >scale.json
refuses 1 'hyperparameter 2: "scale(dropout_input)" is the name of a column' "$bitune" nn train --task scale.json
sed 's/"batch": 40/"batch": 4000/' line.json >large.json
refuses 1 'large.json: loader: split "train" has 320 rows, fewer than a batch of 4000' "$bitune" nn train --task large.json
refuses 1 'one.csv: 1 training rows are too few for a "valid_share" of 0.2' "$bitune" nn train --task one.json
head -c 3000 whole.st >torn.st
refuses 1 "torn.st" "$bitune" nn eval torn.st
refuses 1 "rely.json" "$bitune" nn train --resume rely.json
no_leftovers

# A file that a run is writing is no other run's; a terminal that is closed stops a run as Ctrl-C does.
"$bitune" nn train --task tiny-cnn --epochs 1000000 --threads 1 --quiet --checkpoint busy.st --log busy.csv \
  2>busy &
until_filled busy.st
refuses 1 "busy.st: another run is writing it" "$bitune" nn train --task tiny-mlp --checkpoint busy.st
refuses 1 "busy.st: another run is writing it" "$bitune" nn train --resume busy.st
refuses 1 "busy.csv: another run is writing it" "$bitune" nn train --task tiny-mlp --log busy.csv
kill -HUP $!
wait $!
equal "$? $(grep -c -- '--resume busy.st' busy)" "130 1"
run 0 "$bitune" nn train --resume busy.st --max-seconds 0.01 --quiet
no_leftovers

# The page's commands.
mkdir bin
ln -s "$bitune" bin/bitune
awk '/^```sh$/ { inside = 1; next } /^```/ { inside = 0 } inside' "$source_folder/docs/networks.md" >commands
check "the page has only $(grep -c bitune commands) commands" [ "$(grep -c bitune commands)" -ge 7 ]
PATH=$work/bin:$PATH run 0 sh -eux commands
no_leftovers

finish
