# A full disk, on a small one of its own: told with the file's name, old files kept, nothing half-written, no
# temporary files, and what fits is done.
. "$(dirname "$0")/lib.sh"

make_model
mkdir disk
mount -t tmpfs -o size=128k tmpfs disk 2>/dev/null || skip "a tmpfs cannot be mounted here (needs root)"
clean() { umount "$work/disk"; }

full="No space left on device"
# leave_pages N: fills the disk up to N free pages of 4 KiB.
leave_pages() {
  rm -f disk/filler disk/spare
  head -c $(($1 * 4096)) /dev/zero >disk/spare
  head -c 200000 /dev/zero >disk/filler 2>/dev/null
  rm disk/spare
}

"$bitune" synth --size 256x256 --count 4 --quiet -o large
run 1 "$bitune" noise --sigma 25 --format tif-float --json -o disk/noisy large
says "disk/noisy/leaves-000.tif: cannot write: $full"
equal "$(field out images)" 0
equal "$(find disk/noisy -type f)" ""

# Some of four fit.
run 1 "$bitune" noise --sigma 25 --json --jobs 1 -o disk/noisy large
says "cannot write: $full"
done=$(field out images)
holds "$done >= 1 && $done <= 3"
equal "$(find disk/noisy -type f | wc -l | tr -d ' ')" "$done"
for file in disk/noisy/*; do check "$file is broken" "$image_tool" info "$file" >/dev/null; done
no_leftovers disk
rm -r disk/noisy

# The same of denoise.
leave_pages 10
run 1 "$bitune" denoise --model model.json --json --jobs 1 -o disk/restored large
says "cannot write: $full"
equal "$(find disk/restored -type f | wc -l | tr -d ' ')" "$(field out images)"
no_leftovers disk
rm -r disk/restored

# Old files survive.
cp model.json disk/m.json 2>/dev/null || { rm disk/filler; cp model.json disk/m.json; }
leave_pages 0
run 1 "$bitune" learn --sigma 25 --train clean --max-outer 1 --quiet -o disk/m.json
says "disk/m.json: cannot write: $full"
same model.json disk/m.json
run 1 "$bitune" eval --model model.json --csv disk/t.csv --quiet clean
says "disk/t.csv: "
absent disk/t.csv
run 1 "$bitune" learn --sigma 25 --train clean --max-outer 2 --quiet --checkpoint disk/run.ckpt -o m2.json
says "checkpoint not written: disk/run.ckpt: "
absent disk/run.ckpt
exists m2.json
no_leftovers disk

# A log that cannot be begun is told before anything is computed.
run 1 "$bitune" learn --sigma 25 --train clean --quiet --log disk/run.csv -o m3.json
says "disk/run.csv: the log cannot be written: $full"
absent m3.json
rm -f disk/run.csv
# One that can no longer be continued does not cost the model.
leave_pages 1
run 1 "$bitune" learn --sigma 25 --train clean --method maid-plain --alpha0 1e-6 --rho-bar 1 --max-outer 40 --quiet \
  --log disk/run.csv -o m4.json
says "disk/run.csv: the log cannot be written: $full"
run 0 "$bitune" eval --model m4.json --quiet clean
rm -f disk/run.csv

# A checkpoint that no longer fits leaves the older one, from which the run goes on.
run 0 "$bitune" synth --size 24x24 --quiet -o small
rm -f disk/filler
# learn OPTIONS …
learn() { "$bitune" learn --sigma 25 --train small --quiet "$@"; }
run 0 learn -o unbroken.json
run 0 learn --max-outer 1 --checkpoint disk/run.ckpt -o m.json
cp disk/run.ckpt older.ckpt
leave_pages 0
run 1 learn --resume disk/run.ckpt -o m.json
says "checkpoint not written: disk/run.ckpt: "
same older.ckpt disk/run.ckpt
same_answer unbroken.json m.json
rm disk/filler
run 0 learn --resume disk/run.ckpt -o m.json
same_answer unbroken.json m.json

if command -v gnuplot >/dev/null 2>&1; then
  leave_pages 1
  run 0 "$bitune" learn --sigma 25 --train clean --max-outer 2 --quiet --log run.csv -o m.json
  run 1 "$bitune" plot run.csv -o disk/run.png
  says "disk/run.png: cannot write: $full"
  absent disk/run.png
fi
no_leftovers disk
finish
