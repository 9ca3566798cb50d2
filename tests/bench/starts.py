#!/usr/bin/env python3
"""What a start by Adam and restarts bring where Gauss-Newton creeps: the table of docs/training.md.

    starts.py LSQNET

LSQNET is the command. Two steps of gradient descent in one pass, two layers, two unknowns, from ten seeds: how many of
them come to 1e-28, and the median of all runs' errors, steps and seconds, on one thread."""
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

TASK = ("multistep_gd --iterates 2 --prompt split --mixer attention --no-softmax --no-causal --layers 2 --dim 2 --rows 8"
        " --width 6 --freeze-positions --optimizer levenberg_marquardt --target 1e-28 --threads 1 --quiet --json")
WAYS = [  # most steps: 100 of Gauss-Newton after all trials and starts
    ("`--start-steps 0`", 100),
    ("`--start-steps 0 --restarts 10`", 200),
    ("`--start-steps 3000`", 3100),
    ("`--start-steps 3000 --restarts 4`", 7100),
]
SEEDS = range(1, 11)


def train(program, words):
    with tempfile.TemporaryDirectory() as folder:
        command = [program, "train", *TASK.split(), *words, "--out", str(Path(folder) / "model.safetensors")]
        return json.loads(subprocess.run(command, capture_output=True, text=True, check=False).stdout)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    print("| | of ten seeds at 1e-28 | median error | steps | seconds |\n| --- | ---: | ---: | ---: | ---: |")
    for way, steps in WAYS:
        reports = [train(sys.argv[1], [*way.strip("`").split(), "--steps", str(steps), "--seed", str(seed)]) for seed in SEEDS]
        print(f"| {way} | {sum(report['ended'] == 'target' for report in reports)} |"
              f" {median(report['mse'] for report in reports):.0e} |"
              f" {median(report['steps'] for report in reports):,.0f} |"
              f" {median(report['seconds'] for report in reports):.1f} |", flush=True)


if __name__ == "__main__":
    main()
