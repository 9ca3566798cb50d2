#!/usr/bin/env python3
"""Makes the forward_* files of this folder: flags and sizes that the recordings in ../golden do not have.

The model is written down here a second time, from the reference's definition and without the library, in complex
arithmetic: the derivative of the loss in w is Im loss(w + ih) / h with h = 1e-30, exact to rounding, as nothing is
subtracted. Needs numpy. Usage: make.py [FOLDER]"""
import json
import math
import pathlib
import struct
import sys

import numpy as np

H = 1e-30
BODY = "_backbone.transformer."
DEFAULTS = dict(n_dims=3, n_positions=5, n_embd=4, n_layer=1, n_head=2, use_mlps=False, seq_op="attn", mlp_activ="relu",
                use_resid=True, use_bias=True, use_seqop_ln=False, use_final_ln=False, use_mlp_ln=False,
                conv_type="short", causal=True, train_proj=True, train_pos=True, mlp_upfactor=2, in_dims=4, out_dims=2,
                use_softmax_for_attn=True)

# name: (batch, rows, what differs from DEFAULTS)
CASES = {
    "attn_no_residual": (2, 5, dict(use_resid=False, n_layer=2)),
    "attn_no_bias_norms": (2, 5, dict(use_bias=False, use_seqop_ln=True, use_final_ln=True)),
    "attn_one_row": (3, 1, dict(n_positions=1)),
    "attn_one_sequence_shorter": (1, 3, dict(causal=False, n_head=4)),
    "attn_linear_no_residual_no_bias": (2, 5, dict(use_softmax_for_attn=False, use_resid=False, use_bias=False)),
    "attn_linear_noncausal_one_head_f32": (2, 4, dict(use_softmax_for_attn=False, causal=False, n_head=1)),
    "attn_mlp_norm_no_bias": (2, 5, dict(use_mlps=True, use_mlp_ln=True, use_bias=False, mlp_activ="gelu", mlp_upfactor=3)),
    "attn_glu_no_residual": (2, 4, dict(use_mlps=True, mlp_activ="glu", use_resid=False, mlp_upfactor=1)),
    "attn_frozen_positions": (2, 5, dict(train_pos=False)),
    "attn_frozen_projections": (2, 5, dict(train_proj=False)),
    "identity": (2, 5, dict(seq_op="identity", n_layer=2)),
    "identity_no_residual_mlp": (2, 5, dict(seq_op="identity", use_resid=False, use_mlps=True, mlp_upfactor=4)),
    "no_layers": (2, 4, dict(n_layer=0)),
    "no_layers_final_norm": (2, 4, dict(n_layer=0, use_final_ln=True, seq_op="base_conv", n_embd=6)),
    "dims_of_n_dims": (2, 5, dict(in_dims=0, out_dims=0)),
    "short_noncausal_even": (2, 6, dict(seq_op="base_conv", causal=False, n_positions=6)),
    "short_noncausal_even_shorter": (2, 3, dict(seq_op="base_conv", causal=False, n_positions=6)),
    "short_noncausal_odd_shorter": (2, 2, dict(seq_op="base_conv", causal=False)),
    "short_one_position": (2, 1, dict(seq_op="base_conv", n_positions=1, causal=False)),
    "short_glu_f32": (2, 5, dict(seq_op="base_conv", use_mlps=True, mlp_activ="glu")),
    "long_no_residual": (2, 5, dict(seq_op="base_conv", conv_type="long", use_resid=False)),
    "long_shorter": (2, 3, dict(seq_op="base_conv", conv_type="long")),
    "long_noncausal_shorter": (1, 3, dict(seq_op="base_conv", conv_type="long", causal=False)),
    "implicit_noncausal": (2, 5, dict(seq_op="base_conv", conv_type="implicit", causal=False)),
    "implicit_shorter_no_residual": (2, 3, dict(seq_op="base_conv", conv_type="implicit", use_resid=False)),
    "implicit_noncausal_shorter_f32": (2, 2, dict(seq_op="base_conv", conv_type="implicit", causal=False)),
}


def erf(z):
    """To first order in the imaginary part, which is all there is."""
    return np.vectorize(math.erf)(z.real) + 1j * z.imag * 2 / math.sqrt(math.pi) * np.exp(-z.real**2)


def relu(z):
    return np.where(z.real > 0, z, 0)


def linear(w, name, x):
    y = x @ w[name + ".weight"].T
    return y + w[name + ".bias"] if name + ".bias" in w else y


def layer_norm(w, name, x):
    off = x - x.mean(-1, keepdims=True)
    y = off / np.sqrt((off**2).mean(-1, keepdims=True) + 1e-5) * w[name + ".weight"]
    return y + w[name + ".bias"] if name + ".bias" in w else y


def short_convolution(c, w, name, x):
    rows, taps = x.shape[1], c["n_positions"]
    pad = taps - 1 if c["causal"] else taps // 2
    y = np.zeros_like(x) + w[name + ".conv.bias"]
    for t in range(rows):
        for j in range(taps):
            if 0 <= t + j - pad < rows:
                y[:, t] += w[name + ".conv.weight"][:, 0, j] * x[:, t + j - pad]
    return y


def long_convolution(c, w, name, x):
    rows = x.shape[1]
    if c["conv_type"] == "long":
        taps = w[name + ".filter"][:, :rows].T
    else:
        taps = linear(w, name + ".mlp.2", relu(linear(w, name + ".mlp.0", w[name + ".pos_emb.z"][0, :rows])))
    y = np.zeros_like(x)
    for t in range(rows):
        for s in range(t + 1 if c["causal"] else rows):
            y[:, t] += taps[(t - s) % rows] * x[:, s]
    return y


def base_conv(c, w, name, u):
    convolution = short_convolution if c["conv_type"] == "short" else long_convolution
    x = linear(w, name + ".in_proj", u)
    y = convolution(c, w, name + ".conv", x) + (x if c["use_resid"] else 0)
    y = linear(w, name + ".out_proj", y * linear(w, name + ".projection", u))
    if c["use_resid"]:
        y = w[name + ".branch_weights"][0] * y + w[name + ".branch_weights"][1] * u
    return y


def attention(c, w, name, x):
    batch, rows, width = x.shape
    heads = c["n_head"]
    q, k, v = (part.reshape(batch, rows, heads, width // heads).transpose(0, 2, 1, 3)
               for part in np.split(linear(w, name + ".c_attn", x), 3, -1))
    scores = q @ k.transpose(0, 1, 3, 2) / math.sqrt(width // heads)
    mask = np.tril(np.ones((rows, rows))) if c["causal"] else np.ones((rows, rows))
    if c["use_softmax_for_attn"]:
        weights = np.exp(scores) * mask
        weights /= weights.sum(-1, keepdims=True)
    else:
        weights = scores * mask
    return linear(w, name + ".c_proj", (weights @ v).transpose(0, 2, 1, 3).reshape(batch, rows, width))


def mlp(c, w, name, x):
    h = linear(w, name + ".c_fc", x)
    if c["mlp_activ"] == "glu":
        h = linear(w, name + ".activ.proj2", h) / (1 + np.exp(-linear(w, name + ".activ.proj1", h)))
    else:
        h = relu(h) if c["mlp_activ"] == "relu" else h * (1 + erf(h / math.sqrt(2))) / 2
    return linear(w, name + ".c_proj", h)


def forward(c, w, x):
    mixers = {"attn": attention, "identity": lambda c, w, name, x: x,
              "base_conv": lambda c, w, name, x: base_conv(c, w, name + ".base_conv", x)}
    skip = 1 if c["use_resid"] else 0
    x = linear(w, "_read_in", x) + w[BODY + "wpe.weight"][:x.shape[1]]
    for i in range(c["n_layer"]):
        name = f"{BODY}h.{i}."
        x = skip * x + mixers[c["seq_op"]](c, w, name + "seq_mixer",
                                           layer_norm(w, name + "ln_1", x) if c["use_seqop_ln"] else x)
        if c["use_mlps"]:
            x = skip * x + mlp(c, w, name + "mlp", layer_norm(w, name + "ln_2", x) if c["use_mlp_ln"] else x)
    return linear(w, "_read_out", layer_norm(w, BODY + "ln_f", x) if c["use_final_ln"] else x)


def shapes(c):
    """Names and shapes of all weights."""
    width, rows, s = c["n_embd"], c["n_positions"], {}
    hidden = width * c["mlp_upfactor"]

    def add_linear(name, out, into, bias=True):
        s[name + ".weight"] = (out, into)
        if bias:
            s[name + ".bias"] = (out,)

    def add_norm(name):
        s[name + ".weight"] = (width,)
        if c["use_bias"]:
            s[name + ".bias"] = (width,)

    add_linear("_read_in", width, c["in_dims"] or c["n_dims"])
    s[BODY + "wpe.weight"] = (rows, width)
    for i in range(c["n_layer"]):
        name = f"{BODY}h.{i}."
        conv = name + "seq_mixer.base_conv."
        if c["use_seqop_ln"]:
            add_norm(name + "ln_1")
        if c["seq_op"] == "attn":
            add_linear(name + "seq_mixer.c_attn", 3 * width, width, c["use_bias"])
            add_linear(name + "seq_mixer.c_proj", width, width, c["use_bias"])
        if c["seq_op"] == "base_conv":
            for part in "projection", "in_proj", "out_proj":
                add_linear(conv + part, width, width)
            if c["use_resid"]:
                s[conv + "branch_weights"] = (2,)
            if c["conv_type"] == "short":
                s[conv + "conv.conv.weight"], s[conv + "conv.conv.bias"] = (width, 1, rows), (width,)
            if c["conv_type"] == "long":
                s[conv + "conv.filter"] = (width, rows)
            if c["conv_type"] == "implicit":
                s[conv + "conv.pos_emb.z"] = (1, rows, 3)
                add_linear(conv + "conv.mlp.0", 16, 3)
                add_linear(conv + "conv.mlp.2", width, 16)
        if c["use_mlps"]:
            if c["use_mlp_ln"]:
                add_norm(name + "ln_2")
            add_linear(name + "mlp.c_fc", hidden, width, c["use_bias"])
            if c["mlp_activ"] == "glu":
                s[name + "mlp.activ.proj1.weight"] = s[name + "mlp.activ.proj2.weight"] = (hidden, hidden)
            add_linear(name + "mlp.c_proj", width, hidden, c["use_bias"])
    if c["use_final_ln"]:
        add_norm(BODY + "ln_f")
    add_linear("_read_out", c["out_dims"] or c["n_dims"], width)
    return s


def is_frozen(c, name):
    return (name.endswith("pos_emb.z") or (name.startswith("_read_") and not c["train_proj"]) or
            (name == BODY + "wpe.weight" and not c["train_pos"]))


def differentiate(loss, array):
    gradient = np.zeros(array.shape)
    for i in np.ndindex(array.shape):
        value = array[i]
        array[i] = value + 1j * H
        gradient[i] = loss().imag / H
        array[i] = value
    return gradient


def record(c, batch, rows, dtype, seed):
    random = np.random.default_rng(seed)

    def draw(*shape):
        return random.normal(size=shape).astype(dtype).astype(complex)

    w = {name: draw(*shape) * dtype(0.5) for name, shape in shapes(c).items()}
    x, target = draw(batch, rows, c["in_dims"] or c["n_dims"]), draw(batch, rows, c["out_dims"] or c["n_dims"])

    def loss():
        return ((forward(c, w, x) - target)**2).mean()

    out = {"input": x.real, "target": target.real, "output": forward(c, w, x).real, "loss": np.array([loss().real]),
           "grad_input": differentiate(loss, x)}
    for name in w:
        out["param." + name] = w[name].real
        if not is_frozen(c, name):
            out["grad." + name] = differentiate(loss, w[name])
    return {name: np.ascontiguousarray(values, dtype=dtype) for name, values in out.items()}


def write(path, arrays, metadata):
    header, at = {"__metadata__": metadata}, 0
    for name, values in arrays.items():
        header[name] = {"dtype": "F64" if values.dtype == np.float64 else "F32", "shape": list(values.shape),
                        "data_offsets": [at, at + values.nbytes]}
        at += values.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text +
                     b"".join(v.astype(v.dtype.newbyteorder("<")).tobytes() for v in arrays.values()))


def main():
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parent
    for seed, (name, (batch, rows, changes)) in enumerate(CASES.items()):
        config = DEFAULTS | changes
        arrays = record(config, batch, rows, np.float32 if name.endswith("_f32") else np.float64, seed)
        write(folder / f"forward_{name}.safetensors", arrays, {"case": name, "config": json.dumps(config)})


if __name__ == "__main__":
    main()
