#!/usr/bin/env python3
"""Training steps of the networks of the built-in tasks: bitune on the CPU beside PyTorch on the same machine.

  python tests/bench/bench_nn.py build/bench/bench_nn_steps [--threads N] [--rounds R] [--steps S] [TASK ...]
  python tests/bench/bench_nn.py build/bench/bench_nn_steps --tuner dstn ...

Both train the same network (same layers, dropout at 0.05, batch and optimizer) on numbers that stay the same. A
round is `steps` steps of the one, then of the other; the tables hold the median over rounds of each one's median
step, and of their ratio in the same round, so that a load that comes and goes hits both. "cpu" is the
processor time of all threads, which other programs disturb least: use it, and --threads 1, on a busy machine.

With --tuner a round is `steps` plain steps, then as many of the tuner, each with its share of validation steps; the
table holds the median over rounds of the second over the first. That needs no PyTorch, the comparison does: exit
code 77 where it is missing."""

import argparse
import json
import statistics
import subprocess
import sys
import time

try:
    import torch
    from torch import nn
    from torch.nn import functional as F
except ImportError:
    if "--tuner" not in sys.argv:
        print("SKIPPED: there is no PyTorch")
        sys.exit(77)

    class nn:  # what the networks below are made of
        Module = object

RATE = 0.05
TASKS = ["mnist-mlp", "fmnist-cnn", "cifar-alexnet", "cifar-vgg16", "cifar-resnet18", "ptb-lstm"]


def mlp():
    return nn.Sequential(
        nn.Flatten(), nn.Dropout(RATE), nn.Linear(784, 1200), nn.ReLU(), nn.Dropout(RATE),
        nn.Linear(1200, 1200), nn.ReLU(), nn.Dropout(RATE), nn.Linear(1200, 10))


def simple_cnn():
    return nn.Sequential(
        nn.Dropout(RATE), nn.Conv2d(1, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout2d(RATE),
        nn.Conv2d(16, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout2d(RATE), nn.Flatten(),
        nn.Linear(1568, 1568), nn.ReLU(), nn.Dropout(RATE), nn.Linear(1568, 10))


def alexnet():
    layers = [nn.Dropout2d(RATE)]
    width = 3
    for out, stride, pool in ((64, 2, True), (192, 1, True), (384, 1, False), (256, 1, False), (256, 1, True)):
        layers += [nn.Conv2d(width, out, 3, stride, 1), nn.ReLU()]
        layers += [nn.MaxPool2d(2)] if pool else []
        layers += [nn.Dropout2d(RATE)]
        width = out
    layers += [nn.Flatten(), nn.Linear(1024, 4096), nn.ReLU(), nn.Dropout(RATE), nn.Linear(4096, 4096), nn.ReLU(),
               nn.Dropout(RATE), nn.Linear(4096, 10)]
    return nn.Sequential(*layers)


def vgg16():
    layers = [nn.Dropout2d(RATE)]
    width = 3
    for block, (out, count) in enumerate(((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))):
        for _ in range(count):
            layers += [nn.Conv2d(width, out, 3, padding=1), nn.ReLU(), nn.Dropout2d(RATE)]
            width = out
        layers[-1:-1] = [nn.MaxPool2d(2)]
    layers += [nn.Flatten(), nn.Linear(512, 512), nn.ReLU(), nn.Dropout(RATE), nn.Linear(512, 10)]
    return nn.Sequential(*layers)


class Block(nn.Module):
    def __init__(self, width, out, stride):
        super().__init__()
        self.path = nn.Sequential(
            nn.Conv2d(width, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU(),
            nn.Conv2d(out, out, 3, 1, 1, bias=False), nn.BatchNorm2d(out))
        self.shortcut = nn.Identity() if stride == 1 else nn.Sequential(
            nn.Conv2d(width, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x):
        return F.relu(self.path(x) + self.shortcut(x))


def resnet18():
    layers = [nn.Dropout2d(RATE), nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
    width = 64
    for out, stride in ((64, 1), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1)):
        layers += [Block(width, out, stride), nn.Dropout2d(RATE)]
        width = out
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10)]
    return nn.Sequential(*layers)


class Lstm(nn.Module):
    """Two LSTM layers between a tied embedding, with the masks of arXiv:1708.02182."""

    def __init__(self, words=10000, width=650):
        super().__init__()
        self.table = nn.Parameter(torch.empty(words, width).uniform_(-0.1, 0.1))
        self.bias = nn.Parameter(torch.zeros(words))
        self.layers = nn.ModuleList(nn.LSTM(width, width, bias=True) for _ in range(2))
        self.raw = nn.ParameterList(nn.Parameter(layer.weight_hh_l0.detach().clone()) for layer in self.layers)
        for layer in self.layers:
            del layer._parameters["weight_hh_l0"]
            layer._flat_weights = []

    @staticmethod
    def locked(x):
        return x * F.dropout(torch.ones(1, x.shape[1], x.shape[2]), RATE)

    def forward(self, tokens):
        words = F.dropout(torch.ones(self.table.shape[0], 1), RATE)
        x = self.locked(F.embedding(tokens, self.table * words))
        penalty = 0
        zeros = torch.zeros(1, x.shape[1], x.shape[2])
        for k, layer in enumerate(self.layers):
            weights = [layer.weight_ih_l0, F.dropout(self.raw[k], RATE), layer.bias_ih_l0, layer.bias_hh_l0]
            x, _, _ = torch._VF.lstm(x, (zeros, zeros), weights, True, 1, 0.0, True, False, False)
            if k == 1:
                penalty = 0.05 * (x[1:] - x[:-1]).pow(2).mean()
            x = self.locked(x)
        penalty = penalty + 0.05 * x.pow(2).mean()
        return F.linear(x, self.table, self.bias), penalty


def step_of(task):
    """A closure that does one training step."""
    torch.manual_seed(1)
    if task == "ptb-lstm":
        model = Lstm()
        tokens = torch.randint(10000, (70, 40))
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-6)

        def step():
            optimizer.zero_grad()
            y, penalty = model(tokens)
            (F.cross_entropy(y.flatten(0, 1), tokens.flatten()) + penalty).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.25)
            optimizer.step()

        return step
    model = {"mnist-mlp": mlp, "fmnist-cnn": simple_cnn, "cifar-alexnet": alexnet, "cifar-vgg16": vgg16,
             "cifar-resnet18": resnet18}[task]()
    shape = (128, 3, 32, 32) if task.startswith("cifar") else (128, 1, 28, 28)
    x, label = torch.rand(shape), torch.randint(10, (128,))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-6, momentum=0.9)

    def step():
        optimizer.zero_grad()
        F.cross_entropy(model(x), label).backward()
        optimizer.step()

    return step


def torch_times(step, steps):
    wall, cpu = [], []
    step()
    for _ in range(steps):
        start, processor = time.perf_counter(), time.process_time()
        step()
        wall.append(time.perf_counter() - start)
        cpu.append(time.process_time() - processor)
    return statistics.median(wall), statistics.median(cpu)


def own_run(program, task, tuner, threads, steps):
    done = subprocess.run([program, task, tuner, str(threads), str(steps)], check=True, capture_output=True)
    return json.loads(done.stdout)


def own_times(program, task, threads, steps):
    result = own_run(program, task, "none", threads, steps)
    times = result["training"]
    return times["median_seconds"], times["median_cpu_seconds"], times["gflop"], result["gemm_gflops"]


def step_cost(options, task):
    """Ratios of counted products and, medians over rounds, of processor and wall time: a tuner's step over a plain one."""
    ratios = []
    for _ in range(options.rounds):
        plain = own_run(options.program, task, "none", options.threads, options.steps)
        tuned = own_run(options.program, task, options.tuner, options.threads, options.steps)
        share = tuned["valid_steps"] / tuned["train_steps"]
        ratios.append([(tuned["training"][key] + share * tuned["validation"][key]) / plain["training"][key]
                       for key in ("gflop", "median_cpu_seconds", "median_seconds")])
    return [statistics.median(column) for column in zip(*ratios)], [row[1] for row in ratios]


def print_costs(options):
    print(f"{options.tuner} over none, {options.threads} threads, {options.rounds} rounds of {options.steps} steps")
    print("| task | counted products | processor time | its range | wall clock |\n|---|---|---|---|---|")
    for task in options.tasks or TASKS:
        (flops, cpu, wall), rounds = step_cost(options, task)
        print(f"| {task} | {flops:.2f} | {cpu:.2f} | {min(rounds):.2f} to {max(rounds):.2f} | {wall:.2f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program", help="bench_nn_steps")
    parser.add_argument("tasks", nargs="*", default=[])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--folder", default="", help="where tasks are read from instead of the built-in ones")
    parser.add_argument("--tuner", default="", help="stn, cstn or dstn: what its steps cost beside plain ones")
    options = parser.parse_intermixed_args()
    if options.tuner:
        print_costs(options)
        return
    torch.set_num_threads(options.threads)
    print(f"PyTorch {torch.__version__}, {options.threads} threads, {options.rounds} rounds of {options.steps} steps")
    print("| task | GFLOP | bitune ms (cpu) | PyTorch ms (cpu) | examples/s | of sgemm | PyTorch/bitune | of cpu |")
    print("|---|---|---|---|---|---|---|---|")
    for task in options.tasks or TASKS:
        name = options.folder + task + ".json" if options.folder else task
        step = step_of(task)
        own, other = [], []
        for _ in range(options.rounds):
            own.append(own_times(options.program, name, options.threads, options.steps))
            other.append(torch_times(step, options.steps))
        wall, cpu, flops, rate = (statistics.median(column) for column in zip(*own))
        torch_wall, torch_cpu = (statistics.median(column) for column in zip(*other))
        ratio = statistics.median(b[0] / a[0] for a, b in zip(own, other))
        cpu_ratio = statistics.median(b[1] / a[1] for a, b in zip(own, other))
        examples = (2800 if task == "ptb-lstm" else 128) / wall
        print(f"| {task} | {flops:.2f} | {1e3 * wall:.1f} ({1e3 * cpu:.1f}) | {1e3 * torch_wall:.1f} "
              f"({1e3 * torch_cpu:.1f}) | {examples:.0f} | {flops / cpu / rate:.2f} | {ratio:.2f} | {cpu_ratio:.2f} |",
              flush=True)


if __name__ == "__main__":
    main()
