# A model file with a missing, wrong, NaN, out-of-range or oversized field is refused in one line that names file and
# field, and so is what is no model at all.
. "$(dirname "$0")/lib.sh"

make_model
run 0 "$bitune" eval --model model.json --quiet clean/leaves-000.png
"$json_get" --without training model.json >m.json

# broken NAME TEXT PATTERN REPLACEMENT: the model with one place changed, by sed; each error names file and field.
broken() {
  sed "s/$3/$4/" m.json >"$1.json"
  check "$1.json is not changed" [ "$(cmp m.json "$1.json" >/dev/null; echo $?)" = 1 ]
  refuses 1 "$1.json:" "$bitune" eval --jobs 1 --model "$1.json" clean
  [ -z "$2" ] || says "$2"
}

# The fields in the order of the file: format, problem, regularizer{name,parameters,theta,variant}, sigma, version.
broken no-format 'format' '"format"' '"farmat"'
broken wrong-format 'not a bitune model' '"bitune-model"' '"other-model"'
broken number-format 'format' '"bitune-model"' '7'
broken no-version 'version' '"version":1' '"virsion":1'
broken text-version 'version' '"version":1' '"version":"1"'
broken zero-version 'version' '"version":1' '"version":0'
broken new-version 'newer than this bitune' '"version":1' '"version":2'
broken huge-version '' '"version":1' '"version":99999999999999999999999'
broken no-problem 'problem' '"problem"' '"prablem"'
broken wrong-problem 'not for denoising' '"denoising"' '"cooking"'
broken no-regularizer 'regularizer' '"regularizer"' '"regulator"'
broken list-regularizer 'regularizer' '"regularizer":{.*},"sigma"' '"regularizer":[],"sigma"'
broken no-name 'name' '"name"' '"nome"'
broken wrong-name 'no regularizer "tw"' '"tv"' '"tw"'
broken no-variant 'variant' '"variant"' '"variont"'
broken wrong-variant 'of variant "square"' '"isotropic"' '"square"'
broken wrong-parameter 'parameters[0] is "weight"' '"log_weight"' '"weight"'
broken few-parameters 'parameters' '"log_weight",' ''
broken no-theta 'theta' '"theta"' '"thota"'
broken text-theta 'theta' '"theta":\[[^]]*\]' '"theta":"-2,-5"'
broken empty-theta 'theta' '"theta":\[[^]]*\]' '"theta":[]'
broken short-theta 'theta' '"theta":\[[^]]*\]' '"theta":[-2]'
broken long-theta 'theta' '"theta":\[[^]]*\]' '"theta":[-2,-5,-5]'
broken null-theta 'theta[1]' '"theta":\[[^]]*\]' '"theta":[-2,null]'
broken word-theta 'theta[0]' '"theta":\[[^]]*\]' '"theta":["x",-5]'
broken nan-theta '' '"theta":\[[^]]*\]' '"theta":[NaN,-5]'
broken infinite-theta '' '"theta":\[[^]]*\]' '"theta":[1e999,-5]'
broken large-theta 'theta[0] (log_weight) is 1000' '"theta":\[[^]]*\]' '"theta":[1000,-5]'
broken low-theta 'theta[1] (log_smoothing) is -1000' '"theta":\[[^]]*\]' '"theta":[-2,-1000]'
broken no-sigma 'sigma' '"sigma"' '"stigma"'
broken negative-sigma 'sigma' '"sigma":[0-9.]*' '"sigma":-25'
broken zero-sigma 'sigma' '"sigma":[0-9.]*' '"sigma":0'
broken null-sigma 'sigma' '"sigma":[0-9.]*' '"sigma":null'
broken cut '' '}$' ''
broken doubled '' '$' '{}'

# Every command that takes a model reads it by the same rules, before it writes anything.
refuses 1 "null-theta.json: theta[1]" "$bitune" denoise --model null-theta.json -o never clean
refuses 1 "null-theta.json: theta[1]" "$bitune" denoise --model null-theta.json --jobs 3 -o never clean
refuses 1 "null-theta.json: theta[1]" "$bitune" check --model null-theta.json clean
absent never

# no_model FILE [TEXT]
no_model() { refuses 1 "$1:${2:-}" "$bitune" eval --jobs 1 --model "$1" clean; }
: >empty.json
no_model empty.json
no_model clean " cannot read: it is a folder"
no_model clean/leaves-000.png
no_model missing.json " cannot read: No such file"
echo '[1, 2]' >list.json
no_model list.json
echo '"text"' >text.json
no_model text.json
printf '{"format": "bitune-model", "format": "x"}' >twice.json
no_model twice.json
printf '\377\376{\000}' >utf16.json
no_model utf16.json

# Arrays and nesting without end.
{
  printf '{"format":"bitune-model","version":1,"problem":"denoising","sigma":25,"regularizer":'
  printf '{"name":"tv","variant":"isotropic","theta":[0'
  head -c 3000000 /dev/zero | sed 's/\x00/,0/g'
  printf ']}}'
} >long.json
no_model long.json " theta"
head -c 1000000 /dev/zero | tr '\000' '[' >deep.json
no_model deep.json
truncate -s 200M sparse.json
no_model sparse.json

# What is not known is not minded.
sed 's/^{/{"comment":"hello",/' m.json >more.json
run 0 "$bitune" eval --model more.json --quiet clean/leaves-000.png

finish
