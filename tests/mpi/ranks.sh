# The number of ranks changes nothing but the time: identical files and parameters from 1, 2 and 4 ranks, and from
# one process without mpirun.
. "$(dirname "$0")/../cli/lib.sh"
. "$(dirname "$0")/../cli/everything.sh"
. "$(dirname "$0")/lib.sh"

everything one 1 "$bitune"
for n in 1 2 4; do
  everything ranks$n 0 ranks $n "$bitune"
  same_everything one ranks$n
done

# A checkpoint of two ranks resumes on four, and without mpirun.
run 0 "$bitune" learn --sigma 25 --train clean --jobs 1 --quiet -o unbroken.json
run 0 ranks 2 "$bitune" learn --sigma 25 --train clean --max-outer 3 --quiet --checkpoint two.ckpt -o part.json
cp two.ckpt four.ckpt
run 0 ranks 4 "$bitune" learn --sigma 25 --train clean --quiet --resume four.ckpt -o four.json
run 0 "$bitune" learn --sigma 25 --train clean --quiet --resume two.ckpt -o one.json
same_answer unbroken.json four.json
same_answer unbroken.json one.json

# Logistic regression deals the rows of its one problem.
awk 'BEGIN {
  srand(4)
  for (i = 0; i < 200; i++) printf "%.6f,%.6f,%d\n", rand() + i % 2, rand(), i % 2
}' >points.csv
run 0 "$bitune" logreg learn --data points.csv --jobs 1 --quiet -o rows_1.json
for n in 2 3; do
  run 0 ranks $n "$bitune" logreg learn --data points.csv --max-outer 2 --quiet --checkpoint rows_$n.ckpt -o part.json
  run 0 ranks $n "$bitune" logreg learn --data points.csv --quiet --resume rows_$n.ckpt -o rows_$n.json
  equal "$(field rows_1.json weights)" "$(field rows_$n.json weights)"
  equal "$(field rows_1.json theta)" "$(field rows_$n.json theta)"
done

# A command for one process, started on many, runs once.
run 0 ranks 3 "$bitune" version --short
equal "$(grep -c . out)" 1

finish
