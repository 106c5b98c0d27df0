#!/usr/bin/env python3
"""Tuners beside searches over complete trainings, on small generated tasks or any other.

  python tests/bench/nn_tuners.py build/bin/bitune [--tasks tiny-mlp,tiny-cnn] [--data DIR] [--seeds 1,2,3]
      [--epochs E] [--budget 10] [--methods random,bayes] [--check] [--threads 1]

Every tuner trains once; a search trains `budget` times, each with as many epochs. Tables hold, for each task, the
means over the seeds of the validation loss (of the best epoch, or of the best epoch of the best trial), of the
test loss at that epoch and of what it cost. --check ends with 1 unless Δ-STN's mean validation loss is at most
that of random search, with the same seeds, times 1 + --slack."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

TUNERS = ["none", "stn", "cstn", "dstn"]


def bitune(options, *arguments):
    command = [options.program, "nn", *arguments, "--threads", str(options.threads), "--json", "--quiet"]
    if options.data:
        command += ["--data", options.data]
    if options.epochs:
        command += ["--epochs", str(options.epochs)]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE)
    return json.loads(done.stdout or "{}")


def measure(options, task, name, seed):
    """(validation loss, test loss, epochs, seconds) of one tuner or search; None if it diverged."""
    if name in TUNERS:
        run = bitune(options, "train", "--task", task, "--tuner", name, "--seed", str(seed))
    else:
        with tempfile.TemporaryDirectory() as folder:
            run = bitune(options, "search", "--task", task, "--method", name, "--trials", str(options.budget),
                         "--seed", str(seed), "--jobs", "1", "-o", os.path.join(folder, "search"))
    return (run["valid_loss"], run["test_loss"], run["epochs"], run["seconds"]) if "valid_loss" in run else None


def table(options, task, seeds, names):
    """Prints the rows of a task; {name: mean validation loss}."""
    losses = {}
    for name in names:
        all_runs = [measure(options, task, name, seed) for seed in seeds]
        runs = [run for run in all_runs if run]
        if len(runs) < len(all_runs):
            print(f"| {task} | {name} | {len(all_runs) - len(runs)} of {len(all_runs)} diverged | | | |", flush=True)
            losses[name] = float("inf")
            continue
        valid, test, epochs, seconds = (statistics.mean(column) for column in zip(*runs))
        spread = statistics.stdev(run[0] for run in runs) if len(runs) > 1 else 0.0
        losses[name] = valid
        print(f"| {task} | {name} | {valid:.4f} ± {spread:.4f} | {test:.4f} | {epochs:.0f} | {seconds:.1f} |", flush=True)
    return losses


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program")
    parser.add_argument("--tasks", default="tiny-mlp,tiny-cnn,tiny-lstm")
    parser.add_argument("--data")
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--epochs", type=int, default=0)
    parser.add_argument("--budget", type=int, default=10)
    parser.add_argument("--tuners", default=",".join(TUNERS))
    parser.add_argument("--methods", default="random,bayes")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--slack", type=float, default=0.0)
    options = parser.parse_args()
    names = [name for name in (options.tuners + "," + options.methods).split(",") if name]
    seeds = [int(seed) for seed in options.seeds.split(",")]
    print("| task | method | validation loss | test loss | epochs | seconds |\n|---|---|---|---|---|---|")
    failed = []
    for task in options.tasks.split(","):
        losses = table(options, task, seeds, names)
        if options.check and not losses["dstn"] <= losses["random"] * (1 + options.slack):
            failed.append(task)
    for task in failed:
        print(f"FAILED: {task}: Δ-STN ends worse than random search")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
