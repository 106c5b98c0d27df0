# A full disk, on a small one of its own: told with the file's name, old files kept, nothing half-written, no
# temporary files, and what fits is done.
. "$(dirname "$0")/lib.sh"

make_model
mkdir disk
mount -t tmpfs -o size=64k tmpfs disk 2>/dev/null || skip "a tmpfs cannot be mounted here (needs root)"
clean() { umount "$work/disk"; }

full="No space left on device"
cp model.json disk/m.json
"$bitune" synth --size 160x160 --count 4 --quiet -o large
run 1 "$bitune" noise --sigma 25 --format tif-float --json -o disk/noisy large
says "disk/noisy/leaves-000.tif: cannot write: $full"
equal "$(field out images)" 0
equal "$(find disk/noisy -type f)" ""

# Two of four fit.
"$bitune" synth --size 150x150 --count 4 --quiet -o medium
run 1 "$bitune" denoise --model model.json --json --jobs 1 -o disk/restored medium
says "$full"
done=$(field out images)
holds "$done >= 1 && $done <= 3"
equal "$(find disk/restored -type f | wc -l | tr -d ' ')" "$done"
for file in disk/restored/*; do check "$file is broken" "$image_tool" info "$file" >/dev/null; done
no_leftovers disk
rm -r disk/restored disk/noisy

# Old files survive.
head -c 100000 /dev/zero >disk/filler 2>/dev/null
run 1 "$bitune" learn --sigma 25 --train clean --max-outer 1 --quiet -o disk/m.json
says "disk/m.json: cannot write: $full"
same model.json disk/m.json
run 1 "$bitune" eval --model model.json --csv disk/t.csv --quiet clean
says "disk/t.csv: "
absent disk/t.csv
run 1 "$bitune" learn --sigma 25 --train clean --max-outer 2 --quiet --log disk/run.csv -o m.json
says "disk/run.csv: the log cannot be written: $full"
run 0 "$bitune" eval --model m.json --quiet clean
run 1 "$bitune" learn --sigma 25 --train clean --max-outer 2 --quiet --checkpoint disk/run.ckpt -o m2.json
says "checkpoint not written: disk/run.ckpt: "
absent disk/run.ckpt
exists m2.json
no_leftovers disk

# A checkpoint that no longer fits leaves the older one, from which the run goes on.
rm disk/filler
run 0 "$bitune" learn --sigma 25 --train clean/leaves-000.png --quiet -o unbroken.json
run 0 "$bitune" learn --sigma 25 --train clean/leaves-000.png --max-outer 1 --quiet --checkpoint disk/run.ckpt -o m.json
cp disk/run.ckpt older.ckpt
head -c 100000 /dev/zero >disk/filler 2>/dev/null
run 1 "$bitune" learn --sigma 25 --train clean/leaves-000.png --quiet --resume disk/run.ckpt -o m.json
says "checkpoint not written: disk/run.ckpt: "
same older.ckpt disk/run.ckpt
same_answer unbroken.json m.json

if command -v gnuplot >/dev/null 2>&1; then
  run 0 "$bitune" learn --sigma 25 --train clean --max-outer 2 --quiet --log run.csv -o m.json
  run 1 "$bitune" plot run.csv -o disk/run.png
  says "disk/run.png: "
  absent disk/run.png
fi
no_leftovers disk
finish
