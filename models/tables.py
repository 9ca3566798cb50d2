#!/usr/bin/env python3
"""Writes the tables at the end of README.md, and the one of times in docs/training.md, from the files beside it.

    tables.py [--check]

With --check nothing is written, and the exit code says whether the tables are those of the files."""
import json
import re
import shlex
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
MARK = "<!-- tables.py writes what follows -->\n"
TRAINING = FOLDER.parent / "docs/training.md"
TIMES, TIMES_END = "<!-- models/tables.py writes this table -->\n", "<!-- end of the table -->\n"


def read_header(path):
    """Metadata and tensors of a safetensors file."""
    data = path.read_bytes()
    header = json.loads(data[8:8 + int.from_bytes(data[:8], "little")])
    return header.pop("__metadata__"), header


def size(shape):
    count = 1
    for side in shape:
        count *= side
    return count


def option(command, name):
    words = shlex.split(command)
    return words[words.index(name) + 1] if name in words else None


def mixer(config):
    linear = config["mixer"] == "attention" and not config["mixer_config"]["softmax"]
    return "linear attention" if linear else config["mixer"]


def read_model(path):
    name = path.stem
    beside = {kind: (FOLDER / f"{name}.{kind}").read_text(encoding="utf-8")
              for kind in ("command", "report.json", "eval.json")}
    command, report = beside["command"], json.loads(beside["report.json"])
    metadata, tensors = read_header(path)
    config = json.loads(metadata["config"])
    start = option(command, "--init")
    return {
        "name": name,
        "cells": [f"[{name}]({name}.command)", report["task"], mixer(config), report["level"],
                  str(report["seed"]),
                  start.removesuffix(".safetensors") if start else "random", f"{config['layers']} x {config['width']}",
                  f"{sum(size(tensor['shape']) for tensor in tensors.values()):,}", f"{report['steps']:,}",
                  duration(report["seconds"]), str(report["threads"]), f"{path.stat().st_size / 1000:.0f} kB"],
        "times": [f"`models/make {name}`", option(command, "--target") or "none",
                  f"{report['mse'] / max(1, report['mean_square']):.1e}", f"{report['steps']:,}",
                  duration(report["seconds"]), str(report["threads"])],
        "rows": {row["name"]: row["relative_mse"] for row in json.loads(beside["eval.json"])["rows"]},
    }


def duration(seconds):
    if seconds < 60:
        return f"{seconds:.2g} s"
    return f"{seconds / 60:.0f} min" if seconds < 3 * 3600 else f"{seconds / 3600:.1f} h"


def table(head, lines, words):
    """The first `words` columns are text."""
    rule = ["---"] * words + ["---:"] * (len(head) - words)
    return "".join("| " + " | ".join(cells) + " |\n" for cells in [head, rule, *lines])


def order(model):
    """la-gd1-d16 after la-gd1-d5"""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", model["name"])]


def times(models):
    return table(["command", "target", "reached", "steps", "time", "threads"], [model["times"] for model in models], words=1)


def tables(models):
    names = list(dict.fromkeys(name for model in models for name in model["rows"]))
    return (
        "\n## How they were made\n\n" +
        table(["model", "task", "mixer", "level", "seed", "first weights", "layers x width", "weights", "steps", "time",
               "threads", "file"], [model["cells"] for model in models], words=6) +
        "\n## Relative mean squared error\n\n" +
        table([""] + [model["name"] for model in models],
              [[name] + [f"{model['rows'][name]:.1e}" if name in model["rows"] else "" for model in models]
               for name in names], words=1))


def replaced(path, begin, end, fresh):
    """The document with other text behind `begin`, up to `end`, or to its end."""
    text = path.read_text(encoding="utf-8")
    head, rest = text.split(begin)
    tail = end + rest.split(end)[1] if end else ""
    return text, head + begin + fresh + tail


def main():
    models = sorted((read_model(path) for path in FOLDER.glob("*.safetensors")), key=order)
    stale = 0
    for path, begin, end, table_of in ((FOLDER / "README.md", MARK, None, tables), (TRAINING, TIMES, TIMES_END, times)):
        old, new = replaced(path, begin, end, table_of(models))
        if old == new:
            continue
        stale = 1
        if sys.argv[1:] == ["--check"]:
            print(f"{path.name}: its tables are not those of the files in models/: run models/tables.py")
        else:
            path.write_text(new, encoding="utf-8")
    return stale if sys.argv[1:] == ["--check"] else 0


if __name__ == "__main__":
    sys.exit(main())
