#!/usr/bin/env python3
"""A mixer written in Python trains in the library, as the built-in ones do.

    y_t = (W x_t) . (V mean_s x_s)         elementwise product; W, V (D,D)

    python3 own_mixer.py"""
import numpy as np

import lsqnet


class MeanGate(lsqnet.Mixer):
    name = "mean_gate"

    def parameters(self):
        width = self.sizes.width
        return [("here.weight", (width, width)), ("mean.weight", (width, width))]

    def forward(self, shape, weights, x, y, cache, scratch):
        here, mean = weights
        wanted = x[:, shape.first:shape.first + shape.count]
        y[...] = (wanted @ here.T) * (x.mean(axis=1, keepdims=True) @ mean.T)

    def backward(self, shape, weights, x, dy, dx, dweights, cache, scratch):
        here, mean = weights
        rows = slice(shape.first, shape.first + shape.count)
        average = x.mean(axis=1, keepdims=True)
        dhere = dy * (average @ mean.T)
        dgate = (dy * (x[:, rows] @ here.T)).sum(axis=1, keepdims=True)
        dx[...] = (dgate @ mean) / shape.rows
        dx[:, rows] += dhere @ here
        for gradient, d, into in ((dweights[0], dhere, x[:, rows]), (dweights[1], dgate, average)):
            if gradient is not None:
                gradient += np.einsum("bti,btj->ij", d, into)


def draw(seed, step, first, count, x, target):
    """Sequences, and as target each row times the mean of its sequence's rows."""
    for i in range(count):  # a function of its numbers alone
        x[i] = np.random.default_rng([seed, step, first + i]).uniform(-1, 1, x.shape[1:])
    target[...] = x * x.mean(axis=1, keepdims=True)


def main():
    context = lsqnet.Context()
    context.register_mixer(MeanGate)
    model = lsqnet.Model(context, rows=5, in_width=2, out_width=2, width=8, layers=1, mixer="mean_gate")
    task = lsqnet.Task.custom(context, "row_times_mean", draw, rows=5, in_width=2, out_width=2, stride=1, count=5,
                              scored=2)
    trainer = lsqnet.Trainer(model, task, optimizer="adam", rate=0.03, steps=300, batch=64)
    losses = []
    trainer.run(lambda progress: losses.append(progress.loss))
    for step in range(0, len(losses), 50):
        print(f"step {step:3d}  loss {losses[step]:.3e}")
    print(f"step {len(losses):3d}  loss {losses[-1]:.3e}")
    model.save("mean_gate.safetensors")
    x = np.random.default_rng(1).normal(size=(3, 5, 2))
    before = lsqnet.Workspace(model).forward(x)
    after = lsqnet.Workspace(lsqnet.Model.load(context, "mean_gate.safetensors")).forward(x)
    assert (before == after).all(), "what was saved is not what was loaded"
    assert losses[-1] < losses[0] / 100, "it did not learn"


if __name__ == "__main__":
    main()
