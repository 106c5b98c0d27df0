# A comparison from its specification to its report: killed in the middle and gone on with, with runs that fail.
. "$(dirname "$0")/lib.sh"

command -v gnuplot >/dev/null 2>&1 || skip "there is no gnuplot"

# A folder whose name means something to a shell.
folder="it's a
\$(touch hacked) -folder"
mkdir "$folder"
"$bitune" synth --size 64x64 --count 3 --seed 3 --quiet -o "$folder/-clean"
cat >"$folder/spec.json" <<'END'
{
  "title": "TV & <small>",
  "task": {"command": "learn", "options": {"train": "-clean", "sigma": 25, "loss": "squared", "tolerance": 1e-9}},
  "budget": {"work": 25000},
  "methods": [
    {"name": "MAID", "options": {"method": "maid"}},
    {"name": "plain, \"quoted\" <b>", "options": {"method": "maid-plain"}},
    {"name": "fixed", "options": {"method": "fixed", "eps0": 1e-3, "delta0": 1e-3}, "sweep": {}}
  ],
  "starts": [[-5, -5]],
  "sweep": [{"eps0": 1, "delta0": 1}, {"eps0": 0.01, "delta0": 0.01}],
  "seeds": [1, 2],
  "judge": {"options": {"method": "maid", "max-outer": 0, "eps0": 1e-5, "delta0": 1e-5}}
}
END

# Unbroken, two runs at a time.
run 0 "$bitune" compare "$folder/spec.json" -o whole --jobs 2 --json
equal "$(field out runs) $(field out finished) $(field out reused)" "10 10 0"
absent hacked
exists whole/report.html whole/trajectories.csv whole/summary.csv whole/methods.csv
for plot in loss_work loss_seconds accuracies spread sweep; do
  check "no plot $plot" grep -q '</svg>' whole/plots/$plot.svg
done
no_leftovers

# The tables say what the runs' own logs and results say. The names hold no line breaks, but commas.
rows=0
for log in whole/runs/*/log.csv; do rows=$((rows + $(wc -l <"$log") - 1)); done
equal "$(($(wc -l <whole/trajectories.csv) - 1))" $rows
equal "$(($(wc -l <whole/summary.csv) - 1))" 10
equal "$(($(wc -l <whole/methods.csv) - 1))" 3
sed 's/"plain, ""quoted"" <b>"/plain/' whole/summary.csv >summary
sed 's/"plain, ""quoted"" <b>"/plain/' whole/trajectories.csv >trajectories
for number in 1 2 3; do
  awk -F, -v n=$number '$1 == n' summary >line
  name=$(grep -o '[a-z0-9.-]*-[0-9a-f]\{16\}' line)
  equal "$(cut -d, -f5 line)" finished
  judged=$(field "whole/runs/$name/judged.json" result.loss)
  holds "$(cut -d, -f6 line) == $judged"
  holds "$(cut -d, -f7 line) <= $judged && $judged <= $(cut -d, -f8 line)"
  equal "$(cut -d, -f9 line)" proven
  equal "$(cut -d, -f13 line)" "$(field "whole/runs/$name/run.json" result.lower_iterations)"
  # Columns of the log: iteration, loss … work, seconds.
  awk -F, -v n=$number '$1 == n { print $5, $6, $18, $19 }' trajectories >course
  awk -F, 'NR > 1 { print $1, $2, $17, $18 }' "whole/runs/$name/log.csv" |
    awk '{ printf "%.17g %.17g %.17g %.17g\n", $1, $2, $3, $4 }' >wanted
  same course wanted
  # Where 1 % was reached: worked out again from the log.
  best=$(cut -d, -f11 line)
  reached=$(awk -F, -v b="$best" 'NR > 1 { if ($2 > b + 0.01 * (b < 0 ? -b : b)) at = ""; else if (at == "") at = $17 } END { print at }' \
    "whole/runs/$name/log.csv")
  equal "$(cut -d, -f15 line)" "$reached"
done
# The best of a seed is the least judged loss of its runs.
least=$(awk -F, '$4 == 1 && (m == "" || $6 < m) { m = $6 } END { print m }' summary)
equal "$(awk -F, '$4 == 1 { print $11 }' summary | sort -u)" "$least"

# One page, well formed, nothing fetched, all text escaped.
page=whole/report.html
check "the page fetches something" sh -c "! grep -Eiq '(src|href)=\"?(https?:)?//|url\([^#]|@import|<script|<link' $page"
check "unknown source" [ "$(grep -o 'src="[^"]\{0,22\}' $page | sort -u)" = 'src="data:image/png;base64,' ] ||
  grep -o 'src="[^"]\{0,22\}' $page | sort -u
for text in 'TV &amp; &lt;small&gt;' 'plain, &quot;quoted&quot; &lt;b&gt;' proven 'Processor' 'Memory' '<figure>' 'dB</b>'; do
  check "the page lacks \"$text\"" grep -qF "$text" $page
done
equal "$(grep -o '<svg' $page | wc -l | tr -d ' ')" "$(($(grep -o 'class="swatch"' $page | wc -l) + $(find whole/plots -name '*.svg' | wc -l)))"
check "the command lines are missing" grep -q -- '--method=maid-plain' $page
if command -v python3 >/dev/null 2>&1; then
  cat >parse.py <<'END'
import html.parser, sys
void = {"meta", "img", "br", "input", "hr", "link"}
class Parser(html.parser.HTMLParser):
    stack = []
    ids = set()
    def handle_starttag(self, tag, attrs):
        if tag not in void: self.stack.append(tag)
        for name, value in attrs:
            if name == "id" and value in self.ids: sys.exit("the id %s is there twice" % value)
            if name == "id": self.ids.add(value)
    def handle_startendtag(self, tag, attrs): pass
    def handle_endtag(self, tag):
        if not self.stack or self.stack.pop() != tag: sys.exit("</%s> ends something else, line %d" % (tag, self.getpos()[0]))
parser = Parser()
parser.feed(open(sys.argv[1], encoding="utf-8").read())
if parser.stack: sys.exit("left open: %s" % parser.stack)
END
  run 0 python3 parse.py $page
else
  echo "python3 is missing: the page is not parsed"
fi
if command -v xmllint >/dev/null 2>&1; then run 0 xmllint --noout whole/plots/*.svg; fi

# What is finished is not done again: neither the same nor, with one method more, the others' runs.
stamps() { find whole/runs -name run.json -exec stat -c '%n %y' {} + | sort; }
stamps >before
run 0 "$bitune" compare "$folder/spec.json" -o whole --json
equal "$(field out reused)" 10
stamps >after
same before after
run 0 "$bitune" compare "$folder/spec.json" -o whole --json 'starts=[[-5,-5],[-4,-4]]' 'seeds=[1]'
equal "$(field out runs) $(field out reused)" "10 5"

# Killed without warning, then by a signal, and gone on with: the same courses.
start() {
  rm -f out
  "$bitune" compare "$folder/spec.json" -o broken --jobs 1 --quiet seeds=[1] >out 2>err </dev/null &
  process=$!
}
wait_for() {
  tries=0
  while [ "$(find broken -name "$1" 2>/dev/null | wc -l)" -lt "$2" ] && [ $tries -lt 600 ]; do
    sleep 0.05
    tries=$((tries + 1))
  done
  check "no $1 appeared" [ $tries -lt 600 ]
}
start
wait_for run.json 1
kill -KILL $process
wait $process 2>/dev/null
# Its child is told to stop and lets go of the run's folder when it does.
sleep 0.5
finished=$(find broken -name run.json | wc -l)
holds "$finished >= 1 && $finished < 5"
start
wait_for run.json $((finished + 1))
kill -TERM $process
wait $process
equal $? 130
says interrupted "the same command goes on"
holds "$(find broken -name run.json | wc -l) < 5"
run 0 "$bitune" compare "$folder/spec.json" -o broken --json 'seeds=[1]'
equal "$(field out finished)" 5
holds "$(field out reused) >= 1 && $(field out reused) < 5"
for log in broken/runs/*/log.csv; do same_course "$log" "whole/${log#broken/}"; done
cut -d, -f1-12 broken/summary.csv >one
cut -d, -f1-12 whole/summary.csv | head -n 1 >two
equal "$(head -n 1 one)" "$(cat two)"
no_leftovers broken

# Two at the same folder: a run is done by one of them alone.
run 0 "$bitune" compare "$folder/spec.json" -o twice --json budget.work=100 'seeds=[1]'
first=$(find "$work/twice/runs" -name run.json | head -n 1)
rm "$first"
# shellcheck disable=SC2094
if command -v flock >/dev/null 2>&1; then
  run 1 flock "$(dirname "$first")/lock" "$bitune" compare "$folder/spec.json" -o twice --json budget.work=100 'seeds=[1]'
  equal "$(field out 'failed.#') $(field out elsewhere) $(field out finished)" "0 1 4"
  says "not complete yet: another process is at 1 of its runs"
  check "no word of the other process" grep -q 'The comparison is not complete yet' twice/report.html
  equal "$(grep -c ',elsewhere,' twice/summary.csv)" 1
  run 0 "$bitune" compare "$folder/spec.json" -o twice --json budget.work=100 'seeds=[1]'
  equal "$(field out elsewhere) $(field out reused) $(field out finished)" "0 4 5"
fi

# Runs that fail, each in its way: the others are done and reported.
cat >faults.json <<'END'
{
  "task": {"command": "learn", "options": {"sigma": 25, "max-outer": 3, "max-work": 100000}},
  "methods": [
    {"name": "good", "options": {}},
    {"name": "windows too large", "options": {"method": "isgd", "crop": "500x500", "iterations": 2}},
    {"name": "short of work", "options": {"crops": 3, "crop": "64x64", "max-outer": 100000, "tolerance": 1e-12}}
  ]
}
END
cp -r "$folder/-clean" clean
run 1 "$bitune" compare faults.json -o faults --json task.options.train=clean
equal "$(field out status)" "some items failed"
equal "$(field out finished)" 2
equal "$(field out failed.0.name)" "windows too large"
check "no cause: $(field out failed.0.error)" grep -q 'large enough' out
check "the failure is not in the report" grep -q 'large enough' faults/report.html
check "the failure is not in the table" grep -q 'windows too large.*failed' faults/summary.csv

# A run that dies by a signal.
cat >crash.json <<'END'
{
  "task": {"command": "learn", "options": {"train": "clean", "sigma": 25}},
  "methods": [
    {"name": "endless", "options": {"method": "maid-plain", "max-outer": 1000000, "tolerance": 1e-15}},
    {"name": "short", "options": {"max-outer": 2}}
  ]
}
END
"$bitune" compare crash.json -o crash --jobs 2 --json >result 2>messages </dev/null &
process=$!
wait_crash() {
  tries=0
  while [ -z "$(find crash -name log.csv 2>/dev/null)" ] && [ $tries -lt 600 ]; do
    sleep 0.05
    tries=$((tries + 1))
  done
}
wait_crash
tries=0
victim=
while [ -z "$victim" ] && [ $tries -lt 200 ]; do
  for child in $(cat "/proc/$process/task/$process/children" 2>/dev/null); do
    grep -qa -- --method=maid-plain "/proc/$child/cmdline" && victim=$child
  done
  sleep 0.05
  tries=$((tries + 1))
done
if [ -n "$victim" ]; then
  kill -KILL "$victim"
  wait $process
  equal $? 1
  check "the signal is not told: $(cat messages)" grep -q 'endless.*signal 9' messages
  equal "$(field result finished)" 1
else
  kill -TERM $process
  wait $process
  echo "no /proc with children: the crash is not tried"
fi

# Ranks of mpirun share the runs, without MPI among them.
if command -v mpirun >/dev/null 2>&1; then
  export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
  run 0 mpirun -n 2 "$bitune" compare "$folder/spec.json" -o ranks --json 'seeds=[1]'
  equal "$(field out finished)" 5
  for log in ranks/runs/*/log.csv; do same_course "$log" "whole/${log#ranks/}"; done
fi

# The commands of docs/compare.md and the experiments' specifications.
mkdir docs
awk '/^```sh$/ { inside = 1; next } /^```/ { inside = 0 } inside' "$source_folder/docs/compare.md" >docs/commands
check "docs/compare.md has no commands" grep -q 'bitune compare' docs/commands
mkdir docs/bin
ln -s "$bitune" docs/bin/bitune
run 0 sh -c 'cd docs && PATH=$PWD/bin:$PATH sh -eu commands'
exists docs/tv-runs/report.html
for spec in "$source_folder"/data/experiments/*.json; do run 0 "$bitune" compare "$spec" --plan; done

# Without gnuplot there are tables and a page.
mkdir bin
run 0 env PATH="$work/bin" "$bitune" compare "$folder/spec.json" -o whole --quiet
says "gnuplot-nox"
check "the page has no table" grep -q '<table>' whole/report.html

finish
