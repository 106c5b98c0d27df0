#!/usr/bin/env python3
"""Work that outer methods need to come near the best loss, on total variation: the table of docs/experiments.md.

    python3 tests/bench/methods.py build/bin/bitune FOLDER_OF_IMAGES ["METHOD OPTIONS" ...]

Every run has a log. The loss that counts is not the logged one, which is as inexact as the run was at that moment: the parameters
of logged rows are evaluated again to an accuracy of 1e-4. The first row of a run whose loss is within 1 % and 0.1 % of the best
one found by any run is looked for by bisection over the rows that are the run's best so far, whose losses fall."""
import csv
import json
import os
import shlex
import subprocess
import sys
import tempfile

PROBLEM = "--images 25 --crop 96x96 --sigma 25.5 --start=-5,-5 --loss squared --jobs 1 --quiet"
RUNS = ["maid --alpha0 .01", "maid-plain --alpha0 .01"]
RUNS += [f"hoag --schedule {s} --eps0 {e} --delta0 {e}" for s in ("exponential", "quadratic", "cubic")
         for e in ("1", "0.1")]
RUNS += [f"fixed --eps0 {e} --delta0 {e} --alpha0 .01" for e in ("1", "0.1", "0.01", "0.001", "1e-05")]
RUNS += [f"fixed-gradient --eps0 {e} --delta0 {e} --alpha0 .01" for e in ("0.1", "0.01", "0.001")]
RUNS += [f"fixed-step --eps0 {e} --delta0 {e} --alpha0 .01" for e in ("0.1", "0.01")]
RUNS += ["dfo", "nelder-mead --search-eps 0.01", "bobyqa --search-eps 0.01", "grid --search-eps 0.01",
         "random --search-eps 0.01", "bayes --max-evaluations 60 --search-eps 0.01"]
LIMITS = "--max-seconds 60 --max-outer 1000"


def learn(bitune, train, options, folder, log=None):
    model = os.path.join(folder, "model.json")
    command = [bitune, "learn", "--train", train] + shlex.split(PROBLEM) + shlex.split(options) + ["--json", "-o", model]
    if log:
        command += ["--log", log]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 3):
        sys.exit(f"{' '.join(command)}: {done.stderr}")
    return json.loads(done.stdout)


def main():
    bitune, train = sys.argv[1:3]
    runs = sys.argv[3:] or RUNS
    known = {}
    with tempfile.TemporaryDirectory() as folder:

        def loss(theta):
            if theta not in known:
                # The start of a run: no step is taken.
                out = learn(bitune, train, f"--start={theta[0]},{theta[1]} --method fixed --max-outer 0 "
                            "--eps0 1e-4 --delta0 1", folder)
                known[theta] = out["loss"]
            return known[theta]

        reference = learn(bitune, train, "--tolerance 1e-6", folder)
        best = loss(tuple(repr(t) for t in reference["theta"]))
        rows = []
        for run in runs:
            log = os.path.join(folder, "log.csv")
            out = learn(bitune, train, f"--method {run} {LIMITS}", folder, log)
            with open(log, encoding="utf-8") as file:
                logged = list(csv.DictReader(file))
            end = int(logged[-1]["work"])
            # Rows that are the best so far, by their own account.
            steps, least = [], float("inf")
            for row in logged:
                upper = float(row["upper"]) if run.startswith(("hoag", "dfo")) else float(row["loss"])
                if row["accepted"] == "1" and upper < least or row is logged[0]:
                    least = upper
                    steps.append(row)
            final = loss(tuple(repr(t) for t in out["theta"]))
            rows.append((run, steps, final, end, out["reason"], float(logged[-1]["seconds"])))
            best = min(best, final)

        def reach(steps, within):
            theta = [(row["theta_0"], row["theta_1"]) for row in steps]
            ok = lambda i: loss(theta[i]) <= best + within * abs(best)
            # Early rows jump; the last few tell where to look.
            low, high = -1, len(theta) - 1
            if not ok(high):
                hits = [i for i in range(max(0, high - 5), high) if ok(i)]
                if not hits:
                    return "-"
                high = hits[0]
            while high - low > 1:
                middle = (low + high) // 2
                if ok(middle):
                    high = middle
                else:
                    low = middle
            return str(int(steps[high]["work"]))

        print(f"best loss {best:.6f}\n")
        print("| method | work to 1 % | to 0.1 % | in all | final loss above the best | ended |")
        print("|---|---|---|---|---|---|")
        for run, steps, final, end, reason, _ in rows:
            print(f"| {run} | {reach(steps, 1e-2)} | {reach(steps, 1e-3)} | {end} | {100 * (final / best - 1):.4f} % | "
                  f"{reason} |", flush=True)


main()
