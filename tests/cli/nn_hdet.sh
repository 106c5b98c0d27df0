# Ensembles: the number of processes changes nothing, a stopped run goes on as if unbroken, losses are told, a picture is drawn.
# shellcheck shell=sh disable=SC2086,SC2154 # $ensemble is a list of words; variables of lib.sh
. "$(dirname "$0")/lib.sh"

ensemble="--task tiny-mlp --hdet lr,dropout_1 --replicas 4 --sync 4 --controller paper --steer-from 0.2 --threads 1"

# trains NAME OPTIONS …: leaves NAME.csv (epochs), NAME_r.csv (replicas), NAME.ckpt
trains() {
  name=$1
  shift
  # shellcheck disable=SC2086 # a list of words
  run 0 "$bitune" nn train "$@" --quiet --log "$name.csv" --replica-log "${name}_r.csv" --checkpoint "$name.ckpt"
}
# alike A B: but for the time that it took
alike() {
  check "$1 and $2: replicas differ" cmp -s "$1_r.csv" "$2_r.csv"
  cut -d, -f1-9,11- "$1.csv" >one
  cut -d, -f1-9,11- "$2.csv" >two
  check "$1 and $2: epochs differ" cmp -s one two
  run 0 "$bitune" nn eval "$1.ckpt" --json
  field out test_loss >one
  run 0 "$bitune" nn eval "$2.ckpt" --json
  field out test_loss >two
  check "$1 and $2: test losses differ" cmp -s one two
}

trains one $ensemble --epochs 20 --jobs 1
trains two $ensemble --epochs 20 --jobs 2
trains three $ensemble --epochs 20 --jobs 3
alike one two
alike one three
equal "$(wc -l <one_r.csv)" 101 # 20 epochs of 20 batches: 100 steps of each replica, 25 syncs, 4 rows each

# One collective a sync; shared gradients: one a step besides.
run 0 "$bitune" nn train $ensemble --epochs 20 --jobs 2 --gradients shared --json
equal "$(field out syncs)" 25
equal "$(field out collectives)" 25
equal "$(field out gradient_collectives)" 100
equal "$(field out processes)" 2

# Stopped after some time, wherever that is, and gone on with by another number of processes.
trains broken $ensemble --epochs 20 --jobs 2 --max-seconds 0.05
if [ -f broken.ckpt ]; then
  run 0 "$bitune" nn train --resume broken.ckpt --jobs 3 --quiet --log broken.csv --replica-log broken_r.csv
  alike one broken
fi

# The search for a rate: mixtures vote; wherever replicas live, and in a recurrent network too.
search="--hdet lr --replicas 4 --sync 2 --trial-runs 3 --base-rate 100 --threads 1"
trains found1 --task tiny-mlp $search --epochs 20 --jobs 1
trains found3 --task tiny-mlp $search --epochs 20 --jobs 3
alike found1 found3
equal "$(awk -F, 'NR == 2 { print $9 }' found1_r.csv)" 1 # a rate of 100 is too high: all go back
check "no mixture has voted" grep -qv 'nan,nan$' found1_r.csv
trains found --task tiny-mlp $search --epochs 20 --jobs 2 --max-seconds 0.05
if [ -f found.ckpt ]; then
  run 0 "$bitune" nn train --resume found.ckpt --jobs 3 --quiet --log found.csv --replica-log found_r.csv
  alike found1 found
fi
trains text1 --task tiny-lstm --hdet lr --replicas 3 --sync 4 --epochs 2 --threads 1 --jobs 1
trains text2 --task tiny-lstm --hdet lr --replicas 3 --sync 4 --epochs 2 --threads 1 --jobs 2
alike text1 text2

# What is told is what was computed: of 20 batches 16 replicas take a step with 16, of 50 examples each.
for row in "16 1500 1 16 800" "8 3000 3 56 2800"; do
  set -- $row
  trains whole --task tiny-mlp --hdet lr --replicas "$1" --sync 1 --max-work "$2" --threads 1 --json
  equal "$(field out epochs) $(field out steps) $(field out work)" "$3 $4 $5"
  equal "$(awk -F, 'END { print $1, $2, $11 }' whole.csv)" "$3 $4 $5"
  trains again --resume whole.ckpt --json
  equal "$(field out epochs) $(field out steps) $(field out work)" "$3 $4 $5"
done
refuses 1 "whole.ckpt: tensor \"ensemble.counts\" is of another ensemble: steps of each replica: 7 there" \
  "$bitune" nn train --resume whole.ckpt --max-work 6000
says "but this run has 15; resume" "(leave --epochs and --max-work out)"

# Trials with hardly any syncs are warned of: of 300 steps 36 are a trial.
for sync in 7 8; do
  run 0 "$bitune" nn train --task tiny-mlp --hdet lr --replicas 4 --sync "$sync" --epochs 60 --threads 1 --quiet
  equal "$(grep -c 'a trial needs 5 syncs or more to find it, these have 4' err)" $((sync - 7))
done

# With three syncs the first block searches, and the rate settles behind it: two averages train with what it found.
run 0 "$bitune" nn train --task tiny-mlp --hdet lr --replicas 8 --sync 10 --base-rate 0.01 --seed 11 --threads 1 --quiet \
  --replica-log few_r.csv
equal "$(awk -F, 'NR > 1 { print $1, $9 }' few_r.csv | sort -u | tr '\n' ' ')" "1 0 2 0 3 0 "
equal "$(awk -F, '$1 == 2 { print ($12 > 0.08) }' few_r.csv | sort -u)" 1
# Without an end of the search before that of the run it may never come down to a rate: what was seen is told.
run 1 "$bitune" nn train --task tiny-mlp --hdet lr --replicas 8 --sync 10 --base-rate 1000 --settle 0 --threads 1 --quiet
says "nothing is learned: in all 3 blocks of the search the lowest rates did best" "a lower rate, or let replicas converge more often"

# One replica is plain training.
run 0 "$bitune" nn train $ensemble --replicas 1 --epochs 2 --json
equal "$(field out processes)" 1

# A process dies: the others end, and the last checkpoint is named.
"$bitune" nn train $ensemble --epochs 100000 --jobs 2 --quiet --checkpoint lost.ckpt >out 2>err &
main=$!
for _ in $(seq 200); do
  [ -f lost.ckpt ] && break
  sleep 0.05
done
child=$(pgrep -P "$main" | head -n 1)
check "there is no second process" test -n "$child"
kill -9 "$child"
wait "$main"
equal $? 1
says "process 1 of 2 died" "lost.ckpt"
run 0 "$bitune" nn eval lost.ckpt

# Rates at which every replica fails: an error that tells what happened and what is left, not a result. All of the
# log is there.
bad="--task tiny-mlp --hdet lr --base-rate 1e30 --threads 1"
run 1 "$bitune" nn train $bad --fixed --replicas 4 --sync 5 --epochs 10 --jobs 2 --json --checkpoint bad.ckpt --replica-log bad_r.csv
says "nothing is learned" "lower rate" "the last checkpoint is bad.ckpt"
equal "$(field out status)" "numerical failure"
check "the result tells another error" grep -q '"error": "hdet: after all 50 steps nothing is learned' out
equal "$(awk -F, '$9 == 1' bad_r.csv | wc -l)" 40
run 1 "$bitune" nn train $bad --replicas 1 --sync 5 --epochs 10
says "20 blocks in a row" "no checkpoint has been written"
# Weights so large that their average has no score: the process that finds this tells the other.
run 1 timeout 60 "$bitune" nn train $bad --fixed --gradients shared --replicas 4 --sync 1 --epochs 100 --jobs 2
says "no checkpoint has been written"

# What cannot be.
refuses 1 "never converge" "$bitune" nn train $ensemble --sync 5000
refuses 1 "no \"nothing\" to spread" "$bitune" nn train --task tiny-mlp --hdet nothing
refuses 1 "1000 replicas cannot share" "$bitune" nn train --task tiny-mlp --hdet lr --sync 5 --replicas 1000 --epochs 1
refuses 1 "windows cannot be cut" "$bitune" nn train --task tiny-lstm --hdet lr --sync 1 --replicas 1000 --epochs 1000
refuses 1 "below 1" "$bitune" nn train $ensemble --spread 1.5
refuses 2 "controller" "$bitune" nn train $ensemble --controller best
refuses 2 "settle" "$bitune" nn train $ensemble --settle 2
refuses 2 "search" "$bitune" nn train $ensemble --search -1
short="--task tiny-mlp --hdet lr --replicas 4 --sync 2 --epochs 12 --threads 1"
refuses 1 "at most 8 fit in half of it" "$bitune" nn train $short --trial-runs 16
refuses 1 "leave no step for the training" "$bitune" nn train $short --settle 1
refuses 1 "leave no step for the training" "$bitune" nn train $short --sync 60
for other in "--settled goes-on" --fixed "--controller paper" "--converge copy" "--settle 0" "--hdet dropout_1"; do
  refuses 2 "--trial-runs 3: beside ${other% *}" "$bitune" nn train $short $other --trial-runs 3
done
for other in --fixed "--controller paper" "--converge copy" "--hdet dropout_1"; do
  refuses 2 "--settled goes-on: beside ${other% *}" "$bitune" nn train $short $other --settled goes-on
  for n in 1 8; do refuses 2 "--search $n: beside ${other% *}" "$bitune" nn train $short $other --search $n; done
done
run 0 "$bitune" nn train $short --fixed --search 0 --quiet
refuses 1 "spread twice" "$bitune" nn train --task tiny-mlp --hdet lr,lr --sync 5
refuses 2 "use --tuner none and name" "$bitune" nn train $ensemble --tuner dstn
refuses 1 "weight-decay" "$bitune" nn train --task tiny-mlp --hdet weight-decay --sync 5
refuses 2 "--resume" "$bitune" nn train --hdet lr --resume one.ckpt
refuses 2 "of tuners" "$bitune" nn train $ensemble --replay one_r.csv
refuses 2 "--replica-log" "$bitune" nn train --task tiny-mlp --replica-log x.csv

if command -v gnuplot >/dev/null 2>&1; then
  run 0 "$bitune" plot one_r.csv -o one.svg --title "two & three"
  check "one.svg is no SVG" grep -q '</svg>' one.svg
  for text in lr dropout_1 explored base 'two &amp; three'; do
    check "\"$text\" is missing from the picture" grep -q "$text" one.svg
  done
  head -n 1 one_r.csv >none_r.csv
  refuses 1 "none_r.csv" "$bitune" plot none_r.csv -o none.svg
fi

# The page's commands.
if command -v gnuplot >/dev/null 2>&1; then
  mkdir bin
  ln -s "$bitune" bin/bitune
  awk '/^```sh$/ { inside = 1; next } /^```/ { inside = 0 } inside' "$source_folder/docs/hdet.md" >commands
  check "the page has no commands" grep -q 'bitune nn train' commands
  PATH=$work/bin:$PATH run 0 sh -eux commands
  check "no picture" test -s run/hdet/replicas.png
fi

# Time that is up is no interruption, whichever process notices it first.
for n in 1 2 3 4 5 6 7 8 9 10 11 12; do
  run 0 "$bitune" nn train --task tiny-mlp --hdet lr --replicas 4 --sync 10 --threads 1 --epochs 400 --jobs 2 \
    --max-seconds "0.0$n" --quiet --json
  equal "$(field out reason)" "time used up"
done

finish
