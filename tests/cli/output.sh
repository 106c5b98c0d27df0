# Output that cannot be written: told in one line with file and cause, nothing half-written, inputs never overwritten.
. "$(dirname "$0")/lib.sh"

make_model
cp -r clean untouched
unchanged() { for file in untouched/*; do same "$file" "clean/${file##*/}"; done; }

# A path below a regular file.
echo text >file
refuses 1 "file/m.json: " "$bitune" learn --sigma 25 --train clean --max-outer 1 --quiet -o file/m.json
refuses 1 "file: cannot create the folder" "$bitune" denoise --model model.json --quiet -o file/out.d clean
refuses 1 "file: cannot create the folder" "$bitune" noise --sigma 25 --quiet -o file/out.d clean
refuses 1 "file: cannot create the folder" "$bitune" synth --quiet -o file/out.d
refuses 1 "file: " "$bitune" denoise --model model.json --quiet -o file clean
refuses 1 "file/t.csv: " "$bitune" eval --model model.json --quiet --csv file/t.csv clean
refuses 1 "file/run.csv: " "$bitune" learn --sigma 25 --train clean --max-outer 1 --quiet --log file/run.csv -o m.json
equal "$(cat file)" text

# A folder where a file should be, a folder that is missing.
mkdir folder
refuses 1 "folder: " "$bitune" learn --sigma 25 --train clean --max-outer 1 --quiet -o folder
refuses 1 "missing/m.json: " "$bitune" learn --sigma 25 --train clean --max-outer 1 --quiet -o missing/m.json
absent missing
mkdir -p blocked/leaves-001.png
run 1 "$bitune" denoise --model model.json --json -o blocked clean
says "blocked/leaves-001.png: "
equal "$(field out images)" 3
exists blocked/leaves-000.png blocked/leaves-002.png blocked/leaves-003.png
no_leftovers

# A checkpoint that cannot be written is a warning at once; the run goes on, its model is written, the code is 1.
run 1 "$bitune" learn --sigma 25 --train clean --max-outer 2 --quiet --checkpoint file/run.ckpt -o m.json
says "warning: checkpoint not written: file/run.ckpt: "
run 0 "$bitune" eval --model m.json --quiet clean

# Inputs are never overwritten, by whatever name.
ln -s clean link
mkdir sub
ln clean/leaves-002.png sub/leaves-002.png
for command in "denoise --model model.json" "noise --sigma 25"; do
  # shellcheck disable=SC2086 # a list of words
  {
    refuses 1 "is an input and would be overwritten" "$bitune" $command --quiet -o clean clean
    refuses 1 "is an input and would be overwritten" "$bitune" $command --quiet -o ./clean/../clean clean/leaves-001.png
    refuses 1 "is an input and would be overwritten" "$bitune" $command --quiet -o link clean
    refuses 1 "is an input and would be overwritten" "$bitune" $command --quiet -o sub clean
    # Two inputs for one output.
    refuses 1 "sub/../clean/leaves-000.png is named twice" "$bitune" $command --quiet -o out.d clean sub/../clean
  }
done
cp clean/leaves-000.png sub/leaves-000.tif
refuses 1 "would both be written to out.d/leaves-000.tif" \
  "$bitune" noise --sigma 25 --format tif-float --quiet -o out.d clean/leaves-000.png sub/leaves-000.tif
absent out.d
# learn OPTIONS …
learn() { "$bitune" learn --sigma 25 --train clean --max-outer 1 --quiet "$@"; }
for image in clean/leaves-001.png link/leaves-001.png sub/leaves-002.png; do
  refuses 1 "is an input of this run" learn -o $image
  refuses 1 "is an input of this run" learn -o m.json --log $image
  refuses 1 "is an input of this run" learn -o m.json --checkpoint $image
  refuses 1 "is an input of this run" "$bitune" eval --model model.json --quiet --csv $image clean
done
cp model.json model.copy
refuses 1 "model.json" "$bitune" eval --model model.json --quiet --csv model.json clean
same model.json model.copy
refuses 1 "twice.json would be written twice" learn -o twice.json --log twice.json
refuses 1 "run.x would be written twice" learn -o twice.json --log run.x --checkpoint run.x
absent twice.json run.x
unchanged

# What a kind of file cannot hold.
"$image_tool" convert clean/leaves-000.png float.tif 32 1 2
cp float.tif float.png
refuses 1 "float" "$bitune" denoise --model model.json --quiet -o out.d float.png
no_leftovers

# Older output is replaced whole; the modes of a file stay.
echo old >m.json
chmod 640 m.json
run 0 "$bitune" learn --sigma 25 --train clean --max-outer 1 --quiet -o m.json
equal "$(ls -l m.json | cut -c1-10)" "-rw-r-----"
run 0 "$bitune" eval --model m.json --quiet clean

# Standard output.
if [ -w /dev/full ]; then
  for command in "version" "help" "eval --model model.json --json clean" "noise --sigma 25 -o n clean" "completion bash"; do
    # shellcheck disable=SC2086
    "$bitune" $command >/dev/full 2>err
    equal "$command: $?" "$command: 1"
    says "standard output could not be written: No space left on device"
  done
else
  failed "there is no /dev/full"
fi
"$bitune" help learn 2>err | head -n 1 >out
equal "$(wc -l <out | tr -d ' ')" 1
check "a closed pipe is told" [ ! -s err ]
run 0 sh -c "exec \"\$1\" noise --sigma 25 --quiet -o closed clean >&- 2>&- <&-" sh "$bitune"
exists closed/leaves-003.png
run 0 "$bitune" learn --sigma 25 --train clean --max-outer 1 --quiet -o /dev/null
check "/dev/null was replaced" [ -c /dev/null ]

no_leftovers
finish
