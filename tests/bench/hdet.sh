# Ensembles against data-parallel training with a fixed one-cycle peak, at the same number of examples: small MLP on
# MNIST, 8 replicas of batch 32. Writes one line a run: mode, peak or base rate, seed, losses, base rate at the end.
#   BITUNE=build/bin/bitune SEEDS="1 2" sh tests/bench/hdet.sh MNIST_FOLDER > hdet.csv
# shellcheck shell=sh
set -eu
bitune=${BITUNE:-bitune}
data=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/task.json" <<'TASK'
{
  "data": {"kind": "mnist", "valid_share": 0.1, "normalise": "standard", "train_limit": 13333},
  "batch": 32, "epochs": 10,
  "model": {"layers": [{"type": "flatten"}, {"type": "linear", "out": 64}, {"type": "relu"},
                       {"type": "linear", "out": "classes"}], "loss": "cross-entropy"},
  "optimizer": {"kind": "adam", "rate": 0.005}
}
TASK

# train MODE RATE SEED OPTIONS …
train() {
  mode=$1
  rate=$2
  seed=$3
  shift 3
  if "$bitune" nn train --task "$work/task.json" --data "$data" --seed "$seed" --hdet lr --replicas 8 --threads 1 \
      --jobs 1 --base-rate "$rate" --json "$@" >"$work/out" 2>"$work/err"; then
    python3 - "$mode" "$rate" "$seed" "$work/out" <<'PYTHON'
import json, sys
r = json.load(open(sys.argv[4]))
print(*sys.argv[1:4], *(f"{r[k]:.5f}" for k in ("train_loss", "final_valid_loss", "final_test_loss", "test_loss")),
      f"{r['bases']['lr']:.3g}", f"{r['seconds']:.1f}", sep=",", flush=True)
PYTHON
  else
    echo "$mode,$rate,$seed,failed: $(tail -n 1 "$work/err")"
  fi
}

echo "mode,rate,seed,train_loss,final_valid_loss,final_test_loss,best_test_loss,last_rate,seconds"
for seed in ${SEEDS:-1 2}; do
  for peak in ${PEAKS:-0.0005 0.001 0.002 0.005 0.01 0.02 0.05}; do
    train data-parallel "$peak" "$seed" --sync 10 --gradients shared --spread 0 --fixed
  done
  for rate in ${RATES:-0.0005 0.005 0.05}; do
    for gradients in ${GRADIENTS:-local shared}; do
      train "$gradients" "$rate" "$seed" --sync 10 --gradients "$gradients"
      train "$gradients-wide" "$rate" "$seed" --sync 10 --gradients "$gradients" --spread 0.5 --steer-from 0.1
      train "$gradients-free" "$rate" "$seed" --sync 10 --gradients "$gradients" --spread 0.5 --steer-from 0 \
        --base-schedule constant --rate-floor 0 --steer-step 2 --steer-momentum 0.5
      train "$gradients-fixed" "$rate" "$seed" --sync 10 --gradients "$gradients" --fixed
    done
    train copy "$rate" "$seed" --sync 10 --converge copy
  done
done
