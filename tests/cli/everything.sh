# tests/cli/everything.sh: what must not depend on the number of processes or ranks; sourced after lib.sh.
# shellcheck shell=sh
# shellcheck disable=SC2154 # set by lib.sh

"$bitune" synth --size 48x48 --count 5 --seed 3 --quiet -o clean
"$bitune" synth --size 40x56 --kind phantom --count 2 --seed 3 --quiet -o clean

# everything FOLDER JOBS COMMAND …: all commands that share images, where COMMAND stands for bitune.
everything() {
  folder=$1
  jobs=$2
  shift 2
  mkdir "$folder"
  run 0 "$@" synth --jobs "$jobs" --size 32x32 --count 5 --quiet -o "$folder/synth"
  run 0 "$@" learn --jobs "$jobs" --sigma 25 --train clean --valid clean --max-outer 6 \
    --log "$folder/run.csv" --json -o "$folder/model.json"
  cp out "$folder/learn.json"
  run 0 "$@" noise --jobs "$jobs" --sigma 25 --quiet -o "$folder/noisy" clean
  run 0 "$@" denoise --jobs "$jobs" --model "$folder/model.json" --reference clean --json -o "$folder/restored" "$folder/noisy"
  cp out "$folder/denoise.json"
  run 0 "$@" eval --jobs "$jobs" --model "$folder/model.json" --json clean
  cp out "$folder/eval.json"
}

# same_everything A B: but for time and file names.
same_everything() {
  for kind in synth noisy restored; do
    count=0
    for file in "$1/$kind"/*; do
      same "$file" "$2/$kind/${file##*/}"
      count=$((count + 1))
    done
    check "$1/$kind has only $count files" [ $count -ge 5 ]
  done
  same_model "$1/model.json" "$2/model.json"
  same_log "$1/run.csv" "$2/run.csv"
  for result in learn denoise eval; do
    "$json_get" --without settings,seconds,file,output,models "$1/$result.json" >result_1
    "$json_get" --without settings,seconds,file,output,models "$2/$result.json" >result_2
    check "$1/$result.json is empty" [ -s result_1 ]
    same result_1 result_2
  done
}
