# What an ensemble spends beside its steps: fan-out (replicas into the graph and out of it), converge (averages and
# steering, the wait for other processes included) and the iterates that mixtures remember, as shares of the steps'
# time; votes, which compute, are told apart. `mnist-mlp` (2.4 million weights) on MNIST, 2 replicas, mixtures that
# vote at every sync, in one process, in two forked ones and, if there is mpirun, on two ranks. Writes one line a run.
#   BITUNE=build/bin/bitune SYNC=1000 EPOCHS=6 sh tests/bench/hdet_overhead.sh MNIST_FOLDER
# shellcheck shell=sh
set -eu
bitune=${BITUNE:-bitune}
data=$1
sync=${SYNC:-1000}
out=$(mktemp)
trap 'rm -f "$out"' EXIT

# measure WHERE PROCESSES COMMAND …; PROCESSES: to be forked
measure() {
  where=$1
  jobs=$2
  shift 2
  # shellcheck disable=SC2086 # a list of words
  "$@" nn train --task mnist-mlp --data "$data" --hdet lr --replicas 2 --sync "$sync" --epochs "${EPOCHS:-6}" \
    --search 0 --settle 0 --threads 1 --jobs "$jobs" --json ${OPTIONS:-} >"$out"
  python3 - "$where" "$sync" "$out" <<'PYTHON'
import json, sys
r = json.load(open(sys.argv[3]))
moved = [r[k] for k in ("fan_out_seconds", "converge_seconds", "mixture_seconds")]
steps, syncs, mine = r["step_seconds"], r["syncs"], r["replicas"] / r["processes"]
each = steps / (r["steps"] / r["processes"])
# Of a whole block of T steps: what the syncs cost on average over the time of the block's steps.
share = sum(moved) / syncs / (each * int(sys.argv[2]) * mine)
print(sys.argv[1], sys.argv[2], syncs, r["collectives"], f"{each:.4f}", *(f"{m / syncs:.4f}" for m in moved),
      f"{share:.3%}", f"{r['vote_seconds'] / syncs:.3f}", sep=",", flush=True)
PYTHON
}

echo "where,T,syncs,collectives,step_s,fan_out_s,converge_s,mixtures_s,share,votes_s"
measure "one process" 1 "$bitune"
measure "two forked" 2 "$bitune"
if command -v mpirun >/dev/null 2>&1; then
  export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
  measure "two MPI ranks" 1 mpirun -n 2 "$bitune"
fi
