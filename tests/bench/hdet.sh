# Does a searched rate make up for a bad first guess? Ensembles against data-parallel training with a fixed one-cycle
# peak at the same number of gradients, beside the paper's controller and copying. Three tasks: a perceptron on
# MNIST (Adam), a small convolutional network (Adam) and a deeper perceptron (SGD with momentum) on Fashion-MNIST, 8
# replicas with batches of 32. Writes one line a run: mode, peak or base rate, seed, losses, rate that was settled on,
# seconds.
#   BITUNE=build/bin/bitune SEEDS="1 2" MODES="data-parallel search" sh tests/bench/hdet.sh mlp|cnn|deep DATA_FOLDER > hdet.csv
# shellcheck shell=sh
set -eu
bitune=${BITUNE:-bitune}
kind=$1
data=$2
optimizer='"kind": "adam", "rate": 0.005'
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ "$kind" = mlp ]; then
  images=13333 share=0.1 epochs=10
  layers='{"type": "flatten"}, {"type": "linear", "out": 64}, {"type": "relu"}'
  peaks="0.01 0.005 0.02 0.002 0.05 0.001 0.0005" rates="0.001 0.005 0.01 0.1"
elif [ "$kind" = deep ]; then
  images=10000 share=0.2 epochs=12
  layers='{"type": "flatten"}, {"type": "linear", "out": 64}, {"type": "relu"}, {"type": "linear", "out": 32}, {"type": "relu"}'
  optimizer='"kind": "sgd", "momentum": 0.9, "rate": 0.05'
  peaks="0.1 0.05 0.2 0.025 0.4 0.0125 0.8" rates="0.01 0.1 1"
else
  images=10000 share=0.2 epochs=12
  layers='{"type": "conv2d", "out": 8, "kernel": 3, "stride": 2, "pad": 1}, {"type": "relu"},
          {"type": "conv2d", "out": 16, "kernel": 3, "stride": 2, "pad": 1}, {"type": "relu"}, {"type": "flatten"},
          {"type": "linear", "out": 32}, {"type": "relu"}'
  peaks="0.01 0.005 0.02 0.002 0.05 0.001 0.1" rates="0.001 0.01 0.1"
fi
cat >"$work/task.json" <<TASK
{
  "data": {"kind": "mnist", "valid_share": $share, "normalise": "standard", "train_limit": $images},
  "batch": 32, "epochs": $epochs,
  "model": {"layers": [$layers, {"type": "linear", "out": "classes"}], "loss": "cross-entropy"},
  "optimizer": {$optimizer}
}
TASK

# train MODE RATE SEED OPTIONS …
train() {
  mode=$1
  rate=$2
  seed=$3
  shift 3
  if "$bitune" nn train --task "$work/task.json" --data "$data" --seed "$seed" --hdet lr --replicas 8 --threads 1 \
      --jobs 1 --base-rate "$rate" --sync 5 --replica-log "$work/log" --json "$@" >"$work/out" 2>"$work/err"; then
    python3 - "$mode" "$rate" "$seed" "$work/out" "$work/log" <<'PYTHON'
import csv, json, sys
r = json.load(open(sys.argv[4]))
bases = [float(row["lr_base"]) for row in csv.DictReader(open(sys.argv[5]))]
print(*sys.argv[1:4], *(f"{r[k]:.5f}" for k in ("train_loss", "final_valid_loss", "final_test_loss")),
      f"{max(bases[len(bases) // 4:]):.3g}", f"{r['seconds']:.1f}", sep=",", flush=True)
PYTHON
  else
    echo "$mode,$rate,$seed,failed: $(tail -n 1 "$work/err")"
  fi
}

run_mode() { # run_mode MODE RATE SEED
  case $1 in
    data-parallel) train "$@" --gradients shared --spread 0 --fixed ;;
    local) train "$@" --spread 0 --fixed ;;
    search) train "$@" ;;
    goes-on) train "$@" --settled goes-on ;;
    paper) train "$@" --controller paper --gradients shared ;;
    copy) train "$@" --converge copy --spread 0.5 --steer-from 0 --rate-floor 0.01 ;;
  esac
}

echo "mode,rate,seed,train_loss,final_valid_loss,final_test_loss,highest_rate,seconds"
for mode in ${MODES:-search data-parallel}; do
  for rate in ${RATES:-$([ "$mode" = data-parallel ] && echo "$peaks" || echo "$rates")}; do
    for seed in ${SEEDS:-1 2 3 4 5}; do
      run_mode "$mode" "$rate" "$seed"
    done
  done
done
