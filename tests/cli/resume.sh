# A run that is killed at any moment goes on from its checkpoint to the answer of the unbroken one, to the last bit.
. "$(dirname "$0")/lib.sh"

"$bitune" synth --size 96x96 --count 16 --seed 3 --quiet -o clean

# learn OPTIONS …
learn() { "$bitune" learn --sigma 25 --train clean --tolerance 1e-6 --quiet "$@"; }

run 0 learn -o unbroken.json --log unbroken.csv

# Killed again and again, each time later, until it is done; the checkpoint is kept by one name.
kills=0
resumed=0
for delay in 0.05 0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8 0.9 1 1.2 1.4 1.6 2 3 4 6 8 120; do
  if [ -e run.ckpt ]; then
    set -- --resume run.ckpt
    resumed=$((resumed + 1))
  else
    set -- --checkpoint run.ckpt
  fi
  # Not through the function: $! must be bitune itself.
  "$bitune" learn --sigma 25 --train clean --tolerance 1e-6 --quiet "$@" -o broken.json --log broken.csv >out 2>err &
  process=$!
  (
    sleep $delay
    kill -9 $process 2>/dev/null
  ) >/dev/null 2>&1 &
  killer=$!
  # The shell tells of the kill.
  wait $process 2>/dev/null
  code=$?
  kill $killer 2>/dev/null
  if [ $code -ne 137 ]; then break; fi
  kills=$((kills + 1))
  # Killed at the very end, with the model written.
  if [ -e broken.json ]; then
    code=0
    break
  fi
done
if [ $code -eq 0 ]; then passed; else failed "exit code $code after $kills kills: $(cat err)"; fi
echo "killed $kills times, resumed $resumed times"
# A process that is killed while it writes cannot take its temporary file away.
rm -f .bitune-*.tmp
check "killed only $kills times" [ $kills -ge 3 ]
check "resumed only $resumed times" [ $resumed -ge 1 ]
same_answer unbroken.json broken.json
same_course unbroken.csv broken.csv

# From every iteration, with another number of processes, into another log.
for rounds in 0 1 4 9; do
  rm -f some.ckpt
  run 0 learn --max-outer $rounds --checkpoint some.ckpt -o part.json --log part.csv
  run 0 learn --resume some.ckpt --jobs 3 -o whole.json --log part.csv
  same_answer unbroken.json whole.json
  same_course unbroken.csv part.csv
done

# Interrupted by a signal, then resumed with a second checkpoint file; the first stays as it was.
rm -f first.ckpt
env --default-signal=INT "$bitune" learn --sigma 25 --train clean --tolerance 1e-6 --quiet \
  --checkpoint first.ckpt -o whole.json >out 2>err &
process=$!
until_filled first.ckpt
kill -INT $process
wait $process
equal $? 130
cp first.ckpt copy.ckpt
run 0 learn --resume first.ckpt --checkpoint second.ckpt -o whole.json
same_answer unbroken.json whole.json
same first.ckpt copy.ckpt
exists second.ckpt

# A time limit may end a run in the middle of an iteration. It leaves a model, and the last checkpoint goes on.
for seconds in 1e-6 0.01 0.03 0.1; do
  rm -f some.ckpt timed.json
  "$bitune" learn --sigma 25 --train clean --tolerance 1e-7 --quiet --max-seconds $seconds --checkpoint some.ckpt \
    -o timed.json --log part.csv 2>err
  code=$?
  check "exit code $code with --max-seconds $seconds: $(cat err)" [ $code -eq 0 -o $code -eq 3 ]
  exists timed.json
  [ -e some.ckpt ] || continue
  run 0 learn --resume some.ckpt -o whole.json --log part.csv
  same_answer unbroken.json whole.json
  same_course unbroken.csv part.csv
done
run 3 learn --max-seconds 1e-9 -o timed.json
equal "$(field timed.json training.reason)" "time used up"
equal "$(field timed.json training.loss)" null
equal "$(field timed.json training.outer_iterations)" 0

# A finished run that is resumed ends at once with the same answer.
run 0 learn --resume second.ckpt -o again.json
same_answer unbroken.json again.json

no_leftovers
finish
