#!/usr/bin/env python3
"""Studies of tuners on small networks.

  python tests/bench/nn_studies.py sensitivity build/bin/bitune --data MNIST [--seeds 1]
  python tests/bench/nn_studies.py sensitivity build/bin/bitune --task tests/bench/tasks/tune-mlp.json [--seeds 1,2,3]
  python tests/bench/nn_studies.py replay      build/bin/bitune --data MNIST [--seeds 1,2,3]
  python tests/bench/nn_studies.py schedule    build/bin/bitune --task tests/bench/tasks/schedule-mlp.json --seeds 1,2,3

The task is mnist-mlp with --train examples for training (and as many in validation and test as --held), --width
hidden units, --epochs epochs, --warm-up of them without validation steps; or, with --task, a file as it is.

sensitivity: the least validation loss, and the test loss at that epoch, of STN, centred STN and Δ-STN (--tuners)
from several initial dropout rates, and with several perturbation scales that stay, or start there and are learned.
replay: Δ-STN's schedule of hyperparameters followed by a training without tuning, beside trainings with its last
values, with those of its best epoch and with the initial ones, each from the same weights.
schedule: each tuner's run and its schedule replayed, beside trainings with each of --fixed values that stay (of all
hyperparameters of the task alike); the best of these is chosen by its mean validation loss."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile


def bitune(options, *arguments):
    """The result of a training; None if it diverged."""
    command = [options.program, "nn", "train", *arguments, "--threads", str(options.threads), "--json", "--quiet"]
    if options.data:
        command += ["--data", options.data]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE)
    return json.loads(done.stdout) if done.returncode == 0 else None


def base(options):
    """The task that a study varies."""
    if options.task:
        with open(options.task, encoding="utf-8") as file:
            return json.load(file)
    text = subprocess.run([options.program, "nn", "train", "--task", "mnist-mlp", "--print-task"], check=True,
                          stdout=subprocess.PIPE).stdout
    description = json.loads(text)
    description["data"].update(train_limit=options.train, valid_limit=options.held, test_limit=options.held)
    description["epochs"] = options.epochs
    description["tuning"]["warm_up_epochs"] = options.warm_up
    for layer in description["model"]["layers"]:
        if layer.get("out") == 1200:
            layer["out"] = options.width
    return description


def task(options, folder, initial=None, scale=None, values=None, learned=False):
    """A file with the task: all rates start at `initial`, or at values[name]; `scale` stays unless it is learned."""
    description = base(options)
    for entry in description["hyperparameters"]:
        if initial is not None and "high" in entry:
            entry["initial"] = initial
        if values is not None:
            entry["initial"] = values[entry["name"]]
        if scale is not None:
            entry["scale"] = scale
    if scale is not None:
        description["tuning"]["scales"] = "learned" if learned else "fixed"
    path = os.path.join(folder, "task.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(description, file)
    return path


def row(name, runs):
    """Means over seeds; the spread of the validation loss. The mean validation loss."""
    lost = sum(run is None for run in runs)
    if lost:
        print(f"| {name} | {lost} of {len(runs)} diverged | | | |", flush=True)
        return float("inf")
    valid = [run["valid_loss"] for run in runs]
    spread = f" ± {statistics.stdev(valid):.4f}" if len(runs) > 1 else ""
    rates = [statistics.mean(column) for column in zip(*(run["final_hyperparameters"].values() for run in runs))]
    print(f"| {name} | {statistics.mean(valid):.4f}{spread} | {statistics.mean(run['test_loss'] for run in runs):.4f} | "
          f"{statistics.mean(run['final_valid_loss'] for run in runs):.4f} | "
          f"{', '.join(f'{rate:.2g}' for rate in rates)} |", flush=True)
    return statistics.mean(valid)


HEAD = "validation loss | test loss | at the end | last rates |\n|---|---|---|---|---|"


def sensitivity(options, folder, seeds):
    print("| tuner, initial rates | " + HEAD)
    for tuner in options.tuners.split(","):
        for initial in (0.05, 0.3, 0.6, 0.85):
            path = task(options, folder, initial=initial)
            row(f"{tuner}, {initial}", [bitune(options, "--task", path, "--tuner", tuner, "--seed", s) for s in seeds])
    for learned in (False, True):
        print(f"\n| tuner, scale that {'is learned from' if learned else 'stays'} | " + HEAD)
        for tuner in options.tuners.split(","):
            for scale in (0.1, 0.3, 1.0, 2.0, 3.0):
                path = task(options, folder, scale=scale, learned=learned)
                row(f"{tuner}, {scale}",
                    [bitune(options, "--task", path, "--tuner", tuner, "--seed", s) for s in seeds])


def schedule(options, folder, seeds):
    print("| training | " + HEAD)
    names = [entry["name"] for entry in base(options)["hyperparameters"]]
    means = {}
    for value in options.fixed.split(","):
        path = task(options, folder, values={name: float(value) for name in names})
        means[value] = row(f"{value} throughout", [bitune(options, "--task", path, "--seed", s) for s in seeds])
    found = os.path.join(folder, "schedule.csv")
    path = task(options, folder)
    for tuner in options.tuners.split(","):
        tuned, followed = [], []
        for seed in seeds:
            tuned.append(bitune(options, "--task", path, "--tuner", tuner, "--seed", seed, "--schedule", found))
            followed.append(bitune(options, "--task", path, "--seed", seed, "--replay", found))
        row(tuner, tuned)
        row(f"{tuner}: its schedule replayed", followed)
    print(f"\nbest fixed value: {min(means, key=means.get)}")


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


STUDIES = {"sensitivity": sensitivity, "replay": replay, "schedule": schedule}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("study", choices=list(STUDIES))
    parser.add_argument("program")
    parser.add_argument("--data")
    parser.add_argument("--task", help="a file; mnist-mlp, cut down, if missing")
    parser.add_argument("--fixed", default="0.02,0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8", help="schedule: values")
    parser.add_argument("--seeds", default="1")
    parser.add_argument("--tuners", default="stn,cstn,dstn", help="sensitivity, schedule: which")
    parser.add_argument("--train", type=int, default=4000)
    parser.add_argument("--held", type=int, default=2000)
    parser.add_argument("--width", type=int, default=300)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--warm-up", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    seeds = options.seeds.split(",")
    print(options.task or f"{options.train} examples, {options.width} units, {options.epochs} epochs", end="")
    print(f", seeds {options.seeds}\n")
    with tempfile.TemporaryDirectory() as folder:
        STUDIES[options.study](options, folder, seeds)


if __name__ == "__main__":
    sys.exit(main())
