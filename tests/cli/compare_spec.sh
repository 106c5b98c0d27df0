# A specification that is wrong: one line that names the file, the place, the cause; nothing is run.
. "$(dirname "$0")/lib.sh"

make_clean 2
# good TASK_OPTIONS METHODS REST: a specification around them.
spec() {
  printf '{"task": {"command": "learn", "options": {"train": "clean", "sigma": 25%s}},\n "methods": %s%s}\n' "$1" "$2" "$3"
}
one='[{"name": "A", "options": {"method": "maid"}}]'

# wrong TEXT: spec.json is refused with this text and nothing is left.
wrong() {
  refuses 1 "$1" "$bitune" compare spec.json -o report
  check "no file name: $(cat err)" grep -q '^bitune: spec.json' err
  check "something was run" [ ! -e report ]
}
whole() { printf '%s' "$2" >spec.json; wrong "$1"; }
task() { spec "$2" "$one" "" >spec.json; wrong "$1"; }
methods() { spec "" "$2" "" >spec.json; wrong "$1"; }
rest() { spec "" "$one" ", $2" >spec.json; wrong "$1"; }

spec "" "$one" "" >spec.json
run 0 "$bitune" compare spec.json --plan
equal "$(grep -c '^#' out)" 1

refuses 1 '"": cannot create the folder: its name is empty' "$bitune" compare spec.json -o ''

# No JSON, not the right JSON.
whole "spec.json:1:" ''
whole "spec.json:2:" '{"task": {},
 ]'
whole "not a JSON object" '[]'
whole '"task" is missing' '{}'
whole 'unknown field "taks"' '{"taks": {}}'
whole "duplicate" '{"task": {}, "task": {}}'
whole "task: must be an object" '{"task": "learn"}'
whole 'task: unknown field "cmd"' '{"task": {"cmd": "learn"}}'
whole "task.command: must be a command" '{"task": {}}'
whole "task.command: must be a command" '{"task": {"command": 3}}'
whole 'task.command: must be a command' '{"task": {"command": "  "}}'
whole 'unknown command "lern"; did you mean learn?' '{"task": {"command": "lern"}}'
whole 'bitune version has no --output' '{"task": {"command": "version"}}'
whole 'belongs into task.options' '{"task": {"command": "learn --sigma"}}'
whole "title: must be a text" '{"title": 3, "task": {"command": "learn"}}'
whole "methods: must be a list" '{"task": {"command": "learn"}}'

# Options of the task.
task 'task.options: bitune learn: unknown option --simga; did you mean --sigma?' ', "simga": 3'
task 'task.options.images: must be a number, is a text' ', "images": "3"'
task 'task.options.images: --images must be an integer' ', "images": 2.5'
task 'task.options.white: --white must be >= 0' ', "white": -1'
task 'task.options.loss: --loss must be one of psnr|squared, got "abs"' ', "loss": "abs"'
task 'task.options.loss: must be one of' ', "loss": 3'
task 'task.options.crop: must be a text' ', "crop": null'
task 'task.options.start: must be a text' ', "start": ["a"]'
task 'task.options.output: bitune compare sets this option itself' ', "output": "x"'
task 'task.options.checkpoint: bitune compare sets' ', "checkpoint": "x"'
task 'run "A": --crop' ', "crop": "0x0"'
task 'run "A": --lambda must be less than --eta' ', "lambda": 0.6'
task 'run "A": --start wants 2 numbers' ', "start": [1, 2, 3]'

# Methods.
methods 'methods: must be a list' '{}'
methods 'methods: must be a list' '[]'
methods 'methods[0]: must be an object' '[3]'
methods 'methods[0]: "name" must be a text' '[{}]'
methods 'methods[0]: "name" must be a text' '[{"name": ""}]'
methods 'methods[0]: unknown field "option"' '[{"name": "A", "option": {}}]'
methods 'methods[1]: another method is named "A" already' '[{"name": "A"}, {"name": "A", "options": {"method": "fixed"}}]'
methods 'methods[0].options: must be an object' '[{"name": "A", "options": []}]'
methods 'methods[0].options.method: --method must be one of auto|maid|' '[{"name": "A", "options": {"method": "newton"}}]'
methods 'the runs "A" and "B" do the same' '[{"name": "A"}, {"name": "B"}]'
methods 'methods[0].sweep' '[{"name": "A", "sweep": 3}]'

# The rest.
rest 'budget: must be an object' '"budget": 3'
rest 'budget: unknown field "time"' '"budget": {"time": 3}'
rest 'budget.work: must be a positive whole number' '"budget": {"work": 1.5}'
rest 'budget.work: must be a positive whole number' '"budget": {"work": 0}'
rest 'budget.seconds: must be a positive' '"budget": {"seconds": "3"}'
rest 'starts: must be a list' '"starts": "1,2"'
rest 'starts: must be a list' '"starts": []'
rest 'starts[0]: "name" must be a text' '"starts": [{"options": {}}]'
rest 'starts[0]: unknown field' '"starts": [{"name": "a", "theta": 3}]'
rest 'starts[1]: there is another start' '"starts": [[1, 2], "1,2"]'
rest 'sweep: must be an object of lists' '"sweep": 3'
rest 'sweep: must be an object of lists' '"sweep": []'
rest 'sweep.eps0: must be a list of values' '"sweep": {"eps0": 3}'
rest 'sweep.eps0: must be a list of values' '"sweep": {"eps0": []}'
rest 'sweep.eps0: --eps0 must be > 0' '"sweep": {"eps0": [1, -1]}'
rest 'unknown option --epz0; did you mean --eps0?' '"sweep": {"epz0": [1]}'
rest 'sweep[1]: the same values are there twice' '"sweep": [{"eps0": 1}, {"eps0": 1}]'
rest 'method is set here and by a method' '"sweep": {"method": ["maid"]}'
rest 'sweep: start is set here and by starts' '"starts": ["-5,-5"], "sweep": {"start": ["-4,-4"]}'
rest 'seeds: must be a list' '"seeds": 3'
rest 'seeds[1]: must be a whole number' '"seeds": [1, -2]'
rest 'seeds[1]: is there already' '"seeds": [1, 1]'
rest 'sweep.seed: seeds sets it already' '"seeds": [1], "sweep": {"seed": [2]}'
rest 'sweep.max-work: budget.work sets it already' '"budget": {"work": 10}, "sweep": {"max-work": [2]}'
rest 'judge: must be an object' '"judge": true'
rest 'judge.options.max-outer: must be a number' '"judge": {"options": {"max-outer": true}}'
rest 'judge.options: start is the result' '"judge": {"options": {"start": "1,1"}}'
rest 'more than 10000 runs' "\"seeds\": [$(seq -s, 1 10001)]"
refuses 1 "nowhere.json" "$bitune" compare nowhere.json -o report

# Settings of the command line.
spec "" "$one" "" >spec.json
refuses 2 "PATH=VALUE is wanted" "$bitune" compare spec.json -o report task
refuses 2 'has no "task.opts" to set' "$bitune" compare spec.json -o report task.opts.train.x=3
refuses 2 'has no "methods.7" to set' "$bitune" compare spec.json -o report methods.7.name=B
refuses 2 'name of a field is missing' "$bitune" compare spec.json -o report task.=3
refuses 1 "must be a number, is a text" "$bitune" compare spec.json -o report task.options.sigma=many
refuses 2 "--output is required" "$bitune" compare spec.json
absent report

# What it makes of a good one: all combinations; paths from the folder of the file, or of the command line.
mkdir deep other
spec "" '[{"name": "A"}, {"name": "B", "options": {"method": "fixed"}, "sweep": {}}]' \
  ', "starts": ["-5,-5", [-4, -4.5]], "sweep": {"eps0": [1, 0.1], "delta0": [2, 3]}, "seeds": [7, 8]' >deep/spec.json
mv clean deep/clean
run 0 "$bitune" compare deep/spec.json --plan --json budget.work=500 --set title=T
equal "$(field out 'runs.#')" 20
equal "$(field out runs.0.name)" "A eps0=1 delta0=2 start=-5,-5 seed=7"
equal "$(field out runs.1.name)" "B start=-5,-5 seed=7"
check "the budget is missing" grep -q -- '--max-work=500' out
check "the folder is not the specification's" grep -q -- "--train=$(pwd -P)/deep/clean" out
check "the second start is missing" grep -q -- '--start=-4,-4.5' out
cp -r deep/clean "other/it's
new"
run 0 "$bitune" compare deep/spec.json --plan --json task.options.train="other/it's
new"
check "the folder is not the command line's" grep -qF -- "other/it'\\\\''s\\nnew" out

finish
