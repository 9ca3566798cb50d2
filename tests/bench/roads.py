#!/usr/bin/env python3
"""Which way of training gets where, and when: the table of docs/training.md.

    roads.py LSQNET [--seconds S]

LSQNET is the command; each run has S seconds (default 60) on one thread. Rows are models, columns optimisers; a cell is
the error on fresh data at the end, the iterations and the seconds, of the median of three seeds by error."""
import argparse
import json
import subprocess
import tempfile
from pathlib import Path

ATTENTION = "--prompt split --mixer attention --no-softmax --no-causal --layers 1 --freeze-positions --init-scale 0.25"
GATES = ("--prompt split --mixer base_conv --layers 2 --freeze-positions --freeze-projections"
         " --freeze blocks.0.mixer.out_proj.* --init-scale 1 --mixer-config")
MODELS = [
    ("linear attention, D = 5", f"multistep_gd --dim 5 --rows 20 --width 11 {ATTENTION}"),
    ("linear attention, D = 8", f"multistep_gd --dim 8 --rows 32 --width 17 {ATTENTION}"),
    ("linear attention, D = 16", f"multistep_gd --dim 16 --rows 64 --width 40 --freeze read_in.* {ATTENTION}"),
    ("BaseConv, D = 2", "explicit_gradient --dim 2 --rows 8 --width 20 "
     + GATES + ' {"filter":"short","taps":[1,9]}'),
]
ROADS = [
    ("levenberg_marquardt", "--optimizer levenberg_marquardt --memory 4000000000"),
    ("gauss_newton_cg", "--optimizer gauss_newton_cg"),
    ("adam, paper's recipe", "--optimizer adam --schedule adaptive --rate 1e-2 --ema-lambda 2 --batch 64"),
]
SEEDS = (1, 2, 3)


def train(program, words, seconds):
    """(error, steps, seconds) of a run that ends at 1e-29, by itself or when its time is over."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "model.safetensors"
        checkpoint = Path(folder) / "run"
        command = [program, "train", *words, "--level", "v3", "--threads", "1", "--target", "1e-29", "--steps", "100000000",
                   "--out", str(out), "--checkpoint", str(checkpoint), "--checkpoint-seconds", "5", "--json", "--quiet"]
        done = subprocess.run(["timeout", "-s", "INT", str(seconds), *command], capture_output=True, text=True)
        if not out.is_file():  # its time was over: the same run, ended where its checkpoint is
            command[command.index("--steps") + 1] = "1"
            done = subprocess.run([*command, "--resume"], capture_output=True, text=True, check=False)
        report = json.loads(done.stdout)
        return report["mse"], report["steps"], report["seconds"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--seconds", type=float, default=60)
    arguments = parser.parse_args()
    print(f"| model | {' | '.join(name for name, _ in ROADS)} |")
    print("| --- |" + " --- |" * len(ROADS))
    for model, task in MODELS:
        cells = []
        for _, road in ROADS:
            runs = sorted(train(arguments.program, [*task.split(), *road.split(), "--seed", str(seed)], arguments.seconds)
                          for seed in SEEDS)
            error, steps, seconds = runs[len(runs) // 2]
            cells.append(f"{error:.0e}, {steps:,}, {seconds:.1f} s")
        print(f"| {model} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
