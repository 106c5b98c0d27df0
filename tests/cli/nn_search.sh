# Searches over complete trainings: results, resuming, halving, trials that diverge, other searches' folders.
. "$(dirname "$0")/lib.sh"

search() { "$bitune" nn search --task tiny-mlp --threads 1 --quiet "$@"; }
# Without the columns of time.
table() { cut -d, -f1-9,11- "$1/trials.csv"; }
same_trials() {
  table "$1" >one
  table "$2" >two
  check "$1 has no trials" [ "$(wc -l <one)" -gt 1 ]
  same one two
}

# Random search: all files, and the best weights and task are what they say.
run 0 search --method random --trials 4 --epochs 2 --jobs 1 -o random --json
has out method best_trial valid_loss test_loss valid_accuracy hyperparameters.dropout_1 epochs seconds reason
equal "$(field out trials) $(field out epochs)" "4 8"
exists random/trials.csv random/best.json random/best.safetensors random/best-task.json random/search.json
best=$(field out valid_loss)
for i in 1 2 3 4; do holds "$(field random/trial-000$i.json valid.loss) >= $best"; done
run 0 "$bitune" nn eval random/best.safetensors --threads 1 --json
equal "$(field out valid_loss)" "$best"
run 0 "$bitune" nn train --task random/best-task.json --epochs 2 --threads 1 --json
equal "$(field out valid_loss)" "$best"

# Any number of processes, another time, and more trials later: the same trials.
run 0 search --method random --trials 4 --epochs 2 --jobs 3 -o jobs
same_trials random jobs
run 0 search --method random --trials 2 --epochs 2 -o more
run 0 search --method random --trials 4 --epochs 2 -o more
same_trials random more

# What is there is taken up, not done again; a trial that is missing is done.
rm random/trial-0003.json
run 0 search --method random --trials 4 --epochs 2 -o random
same_trials random jobs

# Time that ends a search and a kill leave a search that goes on to the same end.
run 0 search --method bayes --trials 9 --epochs 2 -o bayes --json
equal "$(field out trials)" 9
run 0 search --method bayes --trials 9 --epochs 2 -o pieces --max-seconds 0.01 --json
equal "$(field out reason)" "time used up"
"$bitune" nn search --task tiny-mlp --threads 1 --quiet --method bayes --trials 9 --epochs 2 -o pieces &
sleep 0.2
kill -9 $! 2>/dev/null
wait
run 0 search --method bayes --trials 9 --epochs 2 -o pieces
same_trials bayes pieces

# Two searches do not share a folder at a time.
"$bitune" nn search --task tiny-mlp --threads 1 --quiet --trials 9 --epochs 100000 --jobs 2 -o busy 2>/dev/null &
until_filled busy/search.json
sleep 0.2
refuses 1 "busy/search.json: another run is writing it" search --trials 9 --epochs 100000 -o busy
# A signal to one of its processes stops all.
kill $!
wait $!
equal $? 130

# Successive halving with ratio 3: 9 trials for 1 epoch, the 3 best for 3, the best for 9.
run 0 search --method random --trials 9 --epochs 9 --halving 3 -o halving --json
equal "$(field out epochs) $(field out complete_trials)" "21 1"
run 0 search --method random --trials 9 --epochs 9 --halving 3 --jobs 2 -o halving2
same_trials halving halving2
least=$(for i in 1 2 3 4 5 6 7 8 9; do field halving/trial-000$i.json rung_losses.0; done | sort -g | sed -n 3p)
for i in 1 2 3 4 5 6 7 8 9; do
  record=halving/trial-000$i.json
  holds "($(field $record rung_losses.0) <= $least) == ($(field $record epochs) > 1)"
done

# A budget of gradients for all trials: 1000 an epoch, so 4 trials of 2 epochs, or halvings of less than 9.
run 0 search --method random --trials 4 --max-work 8999 -o work --json
equal "$(field out epochs) $(field out work)" "8 8000"
table random | cut -d, -f1-8 >one
table work | cut -d, -f1-8 >two
same one two
run 0 search --method random --trials 9 --halving 3 --max-work 20999 -o less --json
holds "$(field out work) <= 20999 && $(field out work) == 1000 * $(field out epochs)"
run 0 search --method random --trials 9 --halving 3 --max-work 21000 -o exact --json
same_trials halving exact
refuses 1 "an epoch of 4 trials takes 4000 gradients" search --trials 4 --max-work 3999 -o never
absent never
# More trials need a larger budget, as the epochs of each follow from both.
refuses 1 "of 2 epochs a trial, while --max-work 8999 leaves 1 to each of 6 trials: --max-work 12000 goes on with it up to 6 trials" \
  search --method random --trials 6 --max-work 8999 -o work
run 0 search --method random --trials 6 --max-work 12000 -o work --json
equal "$(field out epochs) $(field out trials)" "12 6"
# One that never ends is planned at once; 9 trials halved by 3 cost less with 9 epochs each than with 8.
for budget in 1000000000000 9223372036854775807; do
  for halving in 0 3; do
    run 0 search --trials 9 --halving $halving --max-work $budget --max-seconds 0.2 -o "endless$halving-$budget" --json
    equal "$(field out reason)" "time used up"
  done
done
equal "$(field endless0-1000000000000/search.json epochs)" 111111111
equal "$(field endless3-9223372036854775807/search.json epochs)" 1000000000

# A grid holds the ends of the ranges.
run 0 search --method grid --trials 4 --epochs 1 -o grid
equal "$(wc -l <grid/trials.csv)" 5
refuses 1 "grid" search --method grid --trials 3 --epochs 1 -o never

# Trials that diverge are failed trials; a search in which all do is an error.
"$bitune" nn train --task tiny-mlp --print-task | sed 's/"rate": 0.05, "mom/"rate": 500000, "mom/' >wild.json
run 0 "$bitune" nn search --task wild.json --trials 3 --epochs 2 --threads 1 -o wild --json
equal "$(field out failed_trials)" 1
says "trial-0002 failed: diverged in step"
check "no failure in the table" grep -q '^2,0,0,nan' wild/trials.csv
run 0 "$bitune" nn search --task wild.json --trials 7 --epochs 2 --threads 1 --method bayes -o wilder
sed 's/"momentum": 0.9/"decay": 1/' wild.json >all.json
run 1 "$bitune" nn search --task all.json --trials 2 --epochs 9 --threads 1 -o all
says "all trials failed"

# What is said of a trial that fails late names no file: its checkpoint is not kept.
"$bitune" nn train --task tiny-mlp --print-task | sed 's/"rate": 0.05, "momentum": 0.9/"rate": 5, "decay": 1/' >late.json
run 1 "$bitune" nn search --task late.json --trials 2 --epochs 9 --threads 1 -o late
says "trial-0001 failed: diverged in step 22 (epoch 2)" "try a smaller step size"
check "a checkpoint is named or left" sh -c '! grep -l safetensors err late/trial-*.json && ! ls late/*.safetensors 2>/dev/null'

# Broken input.
refuses 1 "tiny-mlp: 9223372036854775807 epochs of a trial are more than" \
  "$bitune" nn search --task tiny-mlp --epochs 9223372036854775807 -o endless
absent endless
refuses 2 "--output is required" search --trials 2
refuses 2 "--log is for nn train, not for nn search" search --trials 2 --log log.csv -o never
refuses 2 "--max-work is for nn train and nn search, not for nn eval" "$bitune" nn eval random/best.safetensors --max-work 5
refuses 2 "--epochs is for nn train and nn search, not for nn check" "$bitune" nn check --epochs 5
refuses 2 "--trials is for nn search, not for nn train" "$bitune" nn train --task tiny-mlp --trials 5
refuses 2 "--output is for nn search, not for nn eval" "$bitune" nn eval random/best.safetensors -o never
refuses 2 "--task is required" "$bitune" nn search -o never
refuses 1 'another "seed"' search --method random --trials 4 --epochs 2 -o random --seed 5
refuses 1 'another "epochs"' search --method random --trials 4 --epochs 3 -o random
echo '{"trial": 1}' >jobs/trial-0001.json
run 1 search --method random --trials 4 --epochs 2 -o jobs
says "jobs/trial-0001.json"
echo 'no JSON' >more/search.json
run 1 search --method random --trials 4 --epochs 2 -o more
says "more/search.json"
no_leftovers

finish
