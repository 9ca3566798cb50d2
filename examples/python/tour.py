#!/usr/bin/env python3
"""A tour: load a trained model, solve a data set with it, train a small model for a few steps, meet an error.

    python3 tour.py /usr/local/share/lsqnet/models/la-gd1-d8.safetensors ../data/nist/Longley.csv"""
import sys

import numpy as np

import lsqnet


def solve(context, model, path):
    table = np.loadtxt(path, delimiter=",", skiprows=1)  # the last column is b
    a = np.column_stack([np.ones(len(table)), table[:, :-1]])
    x, report = lsqnet.Solver(context, model).solve(a, table[:, -1])
    for j, value in enumerate(x):
        print(f"x[{j}] = {value:.15g}")
    print(f"about {report.digits:.1f} right digits")


def train(context):
    """One layer of linear attention learns a step of gradient descent."""
    task = lsqnet.Task(context, "multistep_gd", prompt="split", rows=8, dim=2)
    shape = task.shape
    model = lsqnet.Model(context, rows=shape.rows, in_width=shape.in_width, out_width=shape.out_width, width=8,
                         layers=1, mixer="attention", mixer_config='{"softmax":false,"causal":false}')
    model.draw_weights(1, 0.5)
    trainer = lsqnet.Trainer(model, task, optimizer="levenberg_marquardt")
    progress = [trainer.step() for _ in range(20)]
    print(f"training: loss {progress[0].loss:.2e}, after {progress[-1].step} steps {progress[-1].loss:.2e}")


def main():
    context = lsqnet.Context()
    model = lsqnet.Model.load(context, sys.argv[1])
    step = model.step
    print(f"liblsqnet {lsqnet.version()}, a model for {step.rows} rows and {step.dim} unknowns")
    solve(context, model, sys.argv[2])
    train(context)
    try:
        lsqnet.Model.load(context, "no such file")
    except lsqnet.Error as error:
        print(f"error: {error.name}: {error}")


if __name__ == "__main__":
    main()
