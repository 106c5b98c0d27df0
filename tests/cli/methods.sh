# Every outer method learns total variation, comes within 1 % of MAID's loss, leaves a log and a checkpoint from which it goes on
# to the answer of the unbroken run, and refuses what it is not made for.
. "$(dirname "$0")/lib.sh"

"$bitune" synth --size 32x32 --count 2 --seed 3 --quiet -o clean

learn() { "$bitune" learn --sigma 25 --train clean --loss squared --seed 2 --quiet "$@"; }
# The loss of a model, solved to 1e-5.
loss_of() {
  learn --start "$1" --method fixed --eps0 1e-5 --delta0 1 --max-outer 0 -o judged.json >/dev/null 2>&1
  field judged.json training.loss
}
# options METHOD: what makes it cheap and accurate enough here.
options() {
  case $1 in
    fixed | fixed-gradient) echo "--eps0 1e-4 --delta0 1e-4" ;;
    fixed-step) echo "--eps0 1e-2 --delta0 1e-2 --alpha0 1 --max-outer 30" ;;
    hoag) echo "--max-outer 40 --first-step 0.05" ;;
    isgd) echo "--iterations 100 --crop 32 --batch 2" ;;
    nelder-mead | bobyqa) echo "--search-eps 1e-2" ;;
    grid) echo "--search-eps 1e-1 --grid-points 9 --width 1" ;;
    random) echo "--search-eps 1e-1 --max-evaluations 60 --width 1" ;;
    bayes) echo "--search-eps 1e-2 --max-evaluations 25" ;;
  esac
}

run 0 learn --method maid -o maid.json
best=$(loss_of maid.json)
methods="maid-plain fixed fixed-gradient fixed-step hoag dfo nelder-mead bobyqa grid random bayes isgd"
for method in $methods; do
  # shellcheck disable=SC2046 # a list of words
  run 0 learn --method $method $(options $method) --jobs 1 -o $method.json --log $method.csv
  check "$method has no log" [ "$(wc -l <$method.csv)" -gt 2 ]
  has $method.json training.theta training.lower_iterations training.reason
  loss=$(loss_of $method.json)
  holds "$loss <= 1.01 * $best && $loss > 0.99 * $best"
done
run 0 "$bitune" plot hoag.csv -o hoag.png

# The same from any number of processes.
for method in hoag dfo bobyqa bayes; do
  # shellcheck disable=SC2046
  run 0 learn --method $method $(options $method) --jobs 2 -o two.json --log two.csv
  same_answer $method.json two.json
  same_log $method.csv two.csv
done

# The budget's end, then on from the checkpoint; without the work that was done already.
for method in hoag fixed-step; do
  # shellcheck disable=SC2046
  run 0 learn --method $method $(options $method) --max-outer 7 --checkpoint run.ckpt -o part.json --log part.csv
  equal "$(field part.json training.outer_iterations)" 7
  # shellcheck disable=SC2046
  run 0 learn --method $method $(options $method) --resume run.ckpt -o part.json --log part.csv
  same_answer $method.json part.json
  same_course $method.csv part.csv
  rm run.ckpt
done
for method in dfo nelder-mead bobyqa random bayes; do
  # shellcheck disable=SC2046
  run 0 learn --method $method $(options $method) --max-evaluations 8 --checkpoint run.ckpt \
    -o part.json --log part.csv
  equal "$(field part.json training.outer_iterations)" 8
  # shellcheck disable=SC2046
  run 0 learn --method $method $(options $method) --resume run.ckpt -o part.json --log part.csv
  same_answer $method.json part.json
  same_course $method.csv part.csv
  [ $method = bayes ] || rm run.ckpt
done
refuses 1 "method" learn --method random --resume run.ckpt -o no.json

# Time and work.
run 0 learn --method random --max-evaluations 100000 --max-seconds 1 -o timed.json
equal "$(field timed.json training.reason)" "time used up"
run 0 learn --method random --max-work 500 -o worked.json
equal "$(field worked.json training.reason)" "budget used up"

# Wrong usage, before anything is read.
foe="--regularizer foe --filters 4 --filter-size 3"
# shellcheck disable=SC2086
for method in dfo grid; do refuses 2 "parameters" learn $foe --method $method -o no.json; done
refuses 2 "6561" learn --method grid --grid-points 81 -o no.json
refuses 2 "--radius-end" learn --method dfo --radius 1 --radius-end 2 -o no.json
refuses 2 "at most 2000" learn --method bayes --max-evaluations 3000 -o no.json
refuses 2 "--schedule" learn --method hoag --schedule linear -o no.json

absent no.json
no_leftovers
finish
