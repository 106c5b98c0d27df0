#!/usr/bin/env python3
"""Two studies of tuners on a small multi-layer perceptron on MNIST.

  python tests/bench/nn_studies.py sensitivity build/bin/bitune --data MNIST [--seeds 1]
  python tests/bench/nn_studies.py replay      build/bin/bitune --data MNIST [--seeds 1,2,3]

The task is mnist-mlp with --train examples for training (and as many in validation and test as --held), --width
hidden units, --epochs epochs, --warm-up of them without validation steps.

sensitivity: the least validation loss, and the test loss at that epoch, of STN, centred STN and Δ-STN (--tuners)
from several initial dropout rates, and with several perturbation scales that stay.
replay: Δ-STN's schedule of hyperparameters followed by a training without tuning, beside trainings with its last
values, with those of its best epoch and with the initial ones, each from the same weights."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile


def bitune(options, *arguments):
    command = [options.program, "nn", "train", *arguments, "--threads", str(options.threads), "--json", "--quiet"]
    if options.data:
        command += ["--data", options.data]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def task(options, folder, initial=None, scale=None, values=None):
    """A file with the task: all rates start at `initial`, or at values[name]; `scale` stays as it is."""
    text = subprocess.run([options.program, "nn", "train", "--task", "mnist-mlp", "--print-task"], check=True,
                          stdout=subprocess.PIPE).stdout
    description = json.loads(text)
    description["data"].update(train_limit=options.train, valid_limit=options.held, test_limit=options.held)
    description["epochs"] = options.epochs
    description["tuning"]["warm_up_epochs"] = options.warm_up
    for layer in description["model"]["layers"]:
        if layer.get("out") == 1200:
            layer["out"] = options.width
    for entry in description["hyperparameters"]:
        if initial is not None:
            entry["initial"] = initial
        if values is not None:
            entry["initial"] = values[entry["name"]]
        if scale is not None:
            entry["scale"] = scale
    if scale is not None:
        description["tuning"]["scales"] = "fixed"
    path = os.path.join(folder, "task.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(description, file)
    return path


def row(name, runs):
    """Means over seeds; the spread of the validation loss."""
    valid = [run["valid_loss"] for run in runs]
    spread = f" ± {statistics.stdev(valid):.4f}" if len(runs) > 1 else ""
    rates = [statistics.mean(column) for column in zip(*(run["final_hyperparameters"].values() for run in runs))]
    print(f"| {name} | {statistics.mean(valid):.4f}{spread} | {statistics.mean(run['test_loss'] for run in runs):.4f} | "
          f"{statistics.mean(run['final_valid_loss'] for run in runs):.4f} | "
          f"{', '.join(f'{rate:.2f}' for rate in rates)} |", flush=True)


HEAD = "validation loss | test loss | at the end | last rates |\n|---|---|---|---|---|"


def sensitivity(options, folder, seeds):
    print("| tuner, initial rates | " + HEAD)
    for tuner in options.tuners.split(","):
        for initial in (0.05, 0.3, 0.6, 0.85):
            path = task(options, folder, initial=initial)
            row(f"{tuner}, {initial}", [bitune(options, "--task", path, "--tuner", tuner, "--seed", s) for s in seeds])
    print("\n| tuner, scale that stays | " + HEAD)
    for tuner in options.tuners.split(","):
        for scale in (0.1, 0.5, 1.0, 2.0):
            path = task(options, folder, scale=scale)
            row(f"{tuner}, {scale}", [bitune(options, "--task", path, "--tuner", tuner, "--seed", s) for s in seeds])


def replay(options, folder, seeds):
    found, followed, last, best, initial = [], [], [], [], []
    schedule = os.path.join(folder, "schedule.csv")
    for seed in seeds:
        path = task(options, folder)
        run = bitune(options, "--task", path, "--tuner", "dstn", "--seed", seed, "--schedule", schedule)
        found.append(run)
        initial.append(bitune(options, "--task", path, "--seed", seed))
        followed.append(bitune(options, "--task", path, "--seed", seed, "--replay", schedule))
        path = task(options, folder, values=run["final_hyperparameters"])
        last.append(bitune(options, "--task", path, "--seed", seed))
        path = task(options, folder, values=run["hyperparameters"])
        best.append(bitune(options, "--task", path, "--seed", seed))
    print("| training | " + HEAD)
    for name, runs in (("Δ-STN", found), ("its schedule replayed", followed), ("its last values throughout", last),
                       ("those of its best epoch throughout", best), ("initial values throughout", initial)):
        row(name, runs)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("study", choices=["sensitivity", "replay"])
    parser.add_argument("program")
    parser.add_argument("--data")
    parser.add_argument("--seeds", default="1")
    parser.add_argument("--tuners", default="stn,cstn,dstn", help="sensitivity: which")
    parser.add_argument("--train", type=int, default=4000)
    parser.add_argument("--held", type=int, default=2000)
    parser.add_argument("--width", type=int, default=300)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--warm-up", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    seeds = options.seeds.split(",")
    print(f"{options.train} examples, {options.width} units, {options.epochs} epochs, seeds {options.seeds}\n")
    with tempfile.TemporaryDirectory() as folder:
        (sensitivity if options.study == "sensitivity" else replay)(options, folder, seeds)


if __name__ == "__main__":
    sys.exit(main())
