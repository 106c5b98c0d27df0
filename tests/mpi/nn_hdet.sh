# An ensemble's replicas on MPI ranks: the same answer as on one process.
. "$(dirname "$0")/../cli/lib.sh"
. "$(dirname "$0")/lib.sh"

ensemble="--task tiny-mlp --hdet lr,dropout_1 --replicas 4 --sync 4 --epochs 4 --threads 1 --quiet"
# shellcheck disable=SC2086 # a list of words
run 0 "$bitune" nn train $ensemble --jobs 1 --replica-log one.csv
for n in 1 3; do
  # shellcheck disable=SC2086
  run 0 ranks $n "$bitune" nn train $ensemble --replica-log $n.csv
  same one.csv $n.csv
done
# shellcheck disable=SC2086
run 1 ranks 5 "$bitune" nn train $ensemble
says "at most one process a replica"

# No rank waits for one that cannot go on, alone or like all of them.
bad="--task tiny-mlp --hdet lr --fixed --base-rate 1e30 --replicas 4 --threads 1"
# shellcheck disable=SC2086
run 1 ranks 2 timeout 60 "$bitune" nn train $bad --sync 5 --epochs 10
says "nothing is learned"
# shellcheck disable=SC2086
run 1 ranks 2 timeout 60 "$bitune" nn train $bad --gradients shared --sync 1 --epochs 100
says "no checkpoint has been written"

# What is for one process, started on many, runs once.
run 0 ranks 2 "$bitune" nn train --task tiny-mlp --epochs 1 --threads 1
equal "$(grep -c 'examples a second' out)" 1

finish
