# Comparisons of networks: tuners, ensembles and searches under one budget of gradients, runs that diverge, runs that
# are interrupted.
. "$(dirname "$0")/lib.sh"

cat >spec.json <<'END'
{
  "title": "Small networks",
  "task": {"command": "nn train", "options": {"task": "tiny-mlp"}},
  "budget": {"work": 8000},
  "methods": [
    {"name": "one-cycle", "options": {"hdet": "lr", "replicas": 4, "sync": 1, "fixed": true, "spread": 0, "gradients": "shared"},
     "sweep": {"base-rate": [0.1, 1, 1e30]}},
    {"name": "found", "options": {"hdet": "lr", "replicas": 4, "sync": 2}, "sweep": {"base-rate": [0.01]}},
    {"name": "Δ-STN", "options": {"tuner": "dstn"}},
    {"name": "random", "command": "nn search", "budget_factor": 2, "options": {"method": "random", "trials": 4}},
    {"name": "halving", "command": "nn search", "options": {"method": "random", "trials": 4, "halving": 2}}
  ],
  "seeds": [1, 2]
}
END
run 0 "$bitune" compare spec.json --plan
equal "$(grep -c '^#' out)" 14
equal "$(grep -c 'nn search .*--max-work=16000.*--output=' out)" 2
equal "$(grep -c 'nn train .*--max-work=8000 .*--log=.*--checkpoint=' out)" 10
check "runs share the cores" grep -q -- '--jobs=1 --threads=1' out

run 0 "$bitune" compare spec.json --plan budget.work=100000 'methods=[{"name":"A","budget_factor":1.15}]' seeds=[1]
check "a budget is rounded down" grep -q -- '--max-work=115000 ' out

run 0 "$bitune" compare spec.json -o whole --jobs 2 --json
equal "$(field out runs) $(field out finished) $(field out 'failed.#')" "14 14 0"
exists whole/report.html whole/trajectories.csv whole/summary.csv whole/methods.csv
no_leftovers
if command -v gnuplot >/dev/null 2>&1; then
  for plot in loss_work loss_seconds spread sweep; do check "no plot $plot" grep -q '</svg>' whole/plots/$plot.svg; done
  absent whole/plots/accuracies.svg
  check "no cross for runs that diverged" grep -q "<use xlink:href='#gpPt1'" whole/plots/spread.svg
  if command -v xmllint >/dev/null 2>&1; then run 0 xmllint --noout whole/plots/*.svg; fi
fi

# Work of all but the searches with another budget fits it; what is told is what the runs themselves said.
equal "$(wc -l <whole/methods.csv)" 8
rows=0
for log in whole/runs/*/log.csv whole/runs/*/search/trials.csv; do rows=$((rows + $(wc -l <"$log") - 1)); done
equal "$(($(wc -l <whole/trajectories.csv) - 1))" $rows
# value FILE COLUMN: of the line read before into the file line.
value() { awk -F, -v c="$2" 'NR == FNR { if (FNR == 1) for (i = 1; i <= NF; i++) if ($i == c) at = i; next } { print $at }' "$1" line; }
sed 's/"[^"]*"/text/g' whole/summary.csv >summary
for number in 1 2 3 4 5 6 7; do
  awk -F, -v n=$number 'NR > 1 && $1 == n' summary >line
  record="whole/runs/$(value summary folder)/run.json"
  spent=$(value summary work)
  if [ "$(value summary state)" = diverged ]; then
    equal "$(field "$record" exit) $(field "$record" result.status)" "1 numerical failure"
    equal "$(value summary loss)" nan
    holds "$spent <= 8000"
    continue
  fi
  equal "$(value summary state) $(value summary loss)" "finished $(field "$record" result.valid_loss)"
  equal "$(value summary test_loss)" "$(field "$record" result.test_loss)"
  equal "$spent" "$(field "$record" result.work)"
  case $(value summary method) in
    random) equal "$spent" 16000 ;;
    halving) holds "$spent > 4000 && $spent <= 8000" ;;
    *) holds "$spent > 6000 && $spent <= 8000" ;;
  esac
done
equal "$(awk -F, '$5 == "diverged" { print $2, $3 }' summary | cut -d' ' -f1-2 | sort -u)" "one-cycle base-rate=1e+30"

# What a run that diverges late says names a checkpoint, which is there.
"$bitune" nn train --task tiny-mlp --print-task | sed 's/"rate": 0.05, "momentum": 0.9/"rate": 5, "decay": 1/' >late.json
run 0 "$bitune" compare spec.json -o late --json task.options.task=late.json 'methods=[{"name":"late"}]' seeds=[1]
equal "$(field out settings.0.diverged)" 1
exists "$(field late/runs/*/run.json result.error | sed -n 's/.*the last good state is in //p')"

"$bitune" nn train --task tiny-mlp --print-task >early.json

# Columns of the terminal's table stay where they are for huge losses and failures.
run 1 "$bitune" compare spec.json -o columns seeds=[1] 'methods=[{"name":"best"},
  {"name":"huge","options":{"hdet":"lr","replicas":2,"sync":2,"fixed":true,"spread":0,"gradients":"shared","base-rate":1e7}},
  {"name":"failed","options":{"hdet":"lr","replicas":1000}}]'
equal "$(grep -c '^huge  .* +[1-9]e+[0-9]* %  [0-9]' out)" 1
at=$(awk '/^method and/ { print index($0, "gradients") }' out)
equal "$(awk -v at="$at" '/^(best|huge|failed)  / { print substr($0, at - 1) }' out | grep -cE '^ ([0-9.e+]+|none)$')" 3

# The mean of two seeds, its deviation, and the distance to the least mean.
awk -F, '$2 == "Δ-STN" { print $6 }' summary >losses
awk -F, 'NR > 1 && $1 == "Δ-STN"' whole/methods.csv >line
mean=$(awk '{ s += $1 } END { printf "%.15g", s / NR }' losses)
deviation=$(awk '{ s += $1; q += $1 * $1 } END { printf "%.15g", sqrt((q - s * s / NR) / (NR - 1)) }' losses)
least=$(awk -F, 'NR > 1 && $6 != "nan" && (m == "" || $6 < m) { m = $6 } END { print m }' whole/methods.csv)
holds "($(value whole/methods.csv loss_mean) - $mean) ^ 2 < 1e-24"
holds "($(value whole/methods.csv loss_deviation) - $deviation) ^ 2 < 1e-12"
holds "($(value whole/methods.csv distance) - ($mean / $least - 1)) ^ 2 < 1e-20"
awk -F, 'NR > 1 && $2 == "base-rate=1e+30"' whole/methods.csv >line
equal "$(value whole/methods.csv finished) $(value whole/methods.csv diverged) $(value whole/methods.csv loss_mean)" "2 2 nan"

page=whole/report.html
for text in 'diverged' 'Validation<br>accuracy' 'nn search' '2 times the budget' '--tuner=dstn' 'gradients of examples'; do
  check "the page lacks \"$text\"" grep -qF -- "$text" $page
done
check "a network has no certificate" sh -c "! grep -qi certificate $page"

# Done once: runs that diverged are not repeated either. --again does all anew, to the same ends.
run 0 "$bitune" compare spec.json -o whole --json
equal "$(field out reused)" 14
losses() { sed 's/"[^"]*"/text/g' whole/summary.csv | awk -F, '$4 == 1 { print $2, $3, $6 }' | sed 's/ *seed=1//' | tr -s ' ' | sort; }
losses >before
run 0 "$bitune" compare spec.json -o whole --json --again seeds=[1]
equal "$(field out reused) $(field out finished)" "0 7"
losses >after
equal "$(wc -l <after)" 7
same before after

# The last weights.
run 0 "$bitune" compare spec.json -o whole --json weights=last 'methods=[{"name":"STN","options":{"tuner":"stn"}}]' seeds=[1]
sed 's/"[^"]*"/text/g' whole/summary.csv >summary
awk -F, '$2 == "STN"' summary >line
equal "$(value summary loss)" "$(field "whole/runs/$(value summary folder)/run.json" result.final_valid_loss)"

# Stopped before the first runs begin, or as they begin: none is left behind that does not hear of it.
for seconds in 0.1 0.15 0.2 0.25 0.3 0.4; do
  timeout --preserve-status --kill-after=10 $seconds "$bitune" compare spec.json -o early --quiet --jobs 2 \
    "seeds=[$(seq -s, 300)]" budget={} task.options.epochs=1000000 'methods=[{"name":"A"},{"name":"B","options":{"tuner":"stn"}}]' \
    >out 2>err </dev/null
  case $? in
    130 | 143) passed ;; # 143: before the program has begun
    *) failed "stopped after $seconds s, it had to be killed" ;;
  esac
done

# Interrupted in the middle of a run, of an ensemble, of a search: the same courses as unbroken ones.
interrupted() { # interrupted NAME OPTIONS FILE COMMAND: FILE appears where the run can go on
  cat >long.json <<END
{"task": {"command": "$4", "options": {"task": "tiny-cnn", "epochs": 8}}, "methods": [{"name": "$1", "options": {$2}}], "seeds": [3]}
END
  run 0 "$bitune" compare long.json -o "$1-whole" --json
  "$bitune" compare long.json -o "$1-broken" --quiet >/dev/null 2>err </dev/null &
  process=$!
  tries=0
  while [ -z "$(find "$1-broken" -name "$3" 2>/dev/null)" ] && [ $tries -lt 600 ]; do
    sleep 0.05
    tries=$((tries + 1))
  done
  kill -TERM $process
  wait $process
  equal $? 130
  says "the same command goes on"
  check "no $3 is left" [ -n "$(find "$1-broken" -name "$3")" ]
  run 0 "$bitune" compare long.json -o "$1-broken" --json
  equal "$(field out finished) $(field out reused)" "1 0"
  for log in "$1-whole"/runs/*/log.csv "$1-whole"/runs/*/search/trials.csv; do
    [ -e "$log" ] || continue
    cut -d, -f1-9,11- "$log" >one
    cut -d, -f1-9,11- "$1-broken/${log#*/}" >two
    same one two
    holds "$(wc -l <one) > 3"
  done
}
interrupted tuner '"tuner": "stn"' checkpoint 'nn train'
interrupted ensemble '"hdet": "lr", "replicas": 2, "sync": 5' checkpoint 'nn train'
interrupted search '"trials": 4' trial-0001.json 'nn search'

# A budget of seconds ends runs with what they have.
run 0 "$bitune" compare spec.json -o timed --json budget='{"seconds":0.2}' task.options.epochs=100000 seeds=[1] \
  'methods=[{"name":"none"},{"name":"grid","command":"nn search","options":{"method":"grid","trials":4,"epochs":4}}]'
equal "$(field out finished)" 2
check "time was not used up" grep -q 'time used up' timed/summary.csv

# What is wrong with a specification.
wrong() { # wrong TEXT PATH=VALUE …
  text=$1
  shift
  refuses 1 "$text" "$bitune" compare spec.json -o never "$@"
  absent never
}
one='methods=[{"name":"A"'
wrong 'task.command: the runs of bitune nn eval cannot be compared' 'task.command=nn eval'
wrong 'task.command: the runs of bitune nn cannot be compared' 'task.command=nn'
if "$bitune" help logreg >/dev/null 2>&1; then
  wrong 'methods[0].command: its runs leave other results than those of bitune nn train' "$one,\"command\":\"logreg learn\"}]"
fi
wrong 'methods[0].command: unknown command "nnn"' "$one,\"command\":\"nnn\"}]"
wrong 'methods[0].command: must be a command' "$one,\"command\":3}]"
wrong 'methods[0].options: bitune nn search: unknown option --trails; did you mean --trials?' \
  "$one,\"command\":\"nn search\",\"options\":{\"trails\":3}}]"
wrong 'run "A": --hdet is for nn train, not for nn search' "$one,\"command\":\"nn search\",\"options\":{\"hdet\":\"lr\"}}]" seeds=[1]
wrong 'run "A": --tuner is for nn train' "$one,\"command\":\"nn search\",\"options\":{\"tuner\":\"stn\"}}]" seeds=[1]
wrong 'run "A": --hdet and a tuner cannot steer one training' "$one,\"options\":{\"hdet\":\"lr\",\"tuner\":\"stn\"}}]" seeds=[1]
wrong 'run "A": nothing: ' "$one}]" seeds=[1] task.options.task=nothing
wrong 'run "A": ./nothing.json: ' "$one}]" seeds=[1] task.options.task=./nothing.json
wrong 'run "A": tiny-mlp: there is no "nothing" to spread; it is lr, weight-decay, momentum or one of' \
  "$one,\"options\":{\"hdet\":\"lr,nothing\"}}]" seeds=[1]
wrong 'run "A": mnist-mlp: there is no "nothing" to spread' "$one,\"options\":{\"hdet\":\"nothing\"}}]" seeds=[1] \
  task.options.task=mnist-mlp task.options.data=nowhere
wrong 'run "A seed=1": dropout_1 is to be spread twice' "$one,\"options\":{\"hdet\":\"dropout_1,dropout_1\"}}]"
wrong 'run "A": tiny-mlp: weight-decay cannot be spread around 0' "$one,\"options\":{\"hdet\":\"weight-decay\"}}]" seeds=[1]
wrong 'run "A": tiny-mlp: an epoch takes 1000 gradients, more than the 999 of --max-work' "$one}]" seeds=[1] budget.work=999
wrong 'run "A": tiny-mlp: an epoch takes 2000 gradients, more than the 1999 of --max-work' \
  "$one,\"options\":{\"tuner\":\"dstn\"}}]" seeds=[1] budget.work=1999
wrong 'run "A": tiny-mlp: an epoch of 4 trials takes 4000 gradients, more than the 3999 of --max-work' \
  "$one,\"command\":\"nn search\",\"options\":{\"trials\":4}}]" seeds=[1] budget.work=3999
refuses 1 'spec.json: run "one-cycle base-rate=0.1 seed=1": tiny-mlp: an epoch takes 1000' \
  "$bitune" compare spec.json --plan budget.work=999
seq 40 | awk '{ print $1 "," 40 - $1 "," $1 % 2 }' >rows.csv
sed 's/{"kind": "digits".*"valid_share": 0.33}/{"kind": "classes", "valid_share": 0.25}/; s/"batch": 50/"batch": 10/' \
  early.json >rows.json
wrong 'rows.json: an epoch takes 30 gradients, more than the 29 of --max-work' "$one}]" seeds=[1] \
  task.options.task=./rows.json task.options.data=rows.csv budget.work=29
run 0 "$bitune" compare spec.json --plan task.options.task=./rows.json task.options.data=rows.csv budget.work=30 "$one}]"
wrong 'methods[0].options.replica-log: all runs would write to the same place' "$one,\"options\":{\"replica-log\":\"x\"}}]"
wrong '"budget_factor" must be a positive number' "$one,\"budget_factor\":0}]"
wrong 'methods[0]: "budget_factor" makes of budget.work 6000 a budget of 0.6' "$one,\"budget_factor\":0.0001}]" budget.work=6000
wrong 'methods[0]: "budget_factor" makes of budget.work 6000 a budget of 6e+19' "$one,\"budget_factor\":1e16}]" budget.work=6000
wrong 'methods[0]: "budget_factor" makes of budget.seconds 0.1 a budget of 0' "$one,\"budget_factor\":1e-323}]" 'budget={"seconds":0.1}'
wrong 'budget.work: must be 9007199254740992 or less' budget.work=9007199254740993000
wrong '"budget_factor" needs a budget' "$one,\"budget_factor\":2}]" budget={}
wrong 'methods[0].options.max-work: budget.work sets it already' "$one,\"options\":{\"max-work\":5}}]"
wrong 'weights: must be "best"' weights=first
wrong 'methods[3].command: bitune nn search tells the losses of best epochs alone' weights=last
wrong 'has no --start, by which a result could be judged' 'judge={"options":{}}'

# A task that cannot be run is a failure, not a divergence.
run 1 "$bitune" compare spec.json -o failing --json task.options.task=mnist-mlp task.options.data=nowhere seeds=[1] "$one}]"
equal "$(field out 'failed.#') $(field out finished)" "1 0"
check "no cause" grep -q 'failed.*nowhere' failing/summary.csv

finish
