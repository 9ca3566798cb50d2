#!/usr/bin/env python3
"""lsqnet reproduce --budget full: each experiment's trainings are the paper's, as --plan lists them, and it starts.

    test_reproduce_full.py LSQNET"""
import re
import signal
import subprocess
import sys
import tempfile
import time
from fnmatch import fnmatch
from pathlib import Path

sys.dont_write_bytecode = True  # the sources may be read only
from test_reproduce import NAMES, must, reproduce  # noqa: E402

# The paper's configurations: the trainings whose keys match are these, and each has these words.
FULL = {
    "primitives": {
        ("*,layers=?@*", 4 * 8 * 4): "--rows 40 --dim 20 --width 64 --dtype f32 --batch 1024 --schedule step "
                                     "--schedule-steps 10000 --steps 1000000 --rate 1e-3",
        ("*,softmax,layers=[1248]@*", 4 * 4): "--heads 2 --mlp relu --mlp-factor 4 --norms"},
    "end-to-end": {
        ("[nv]*,softmax,layers=*@*", 2 * 7): "least_squares --rows 20 --dim 5 --width 256 --mixer attention --heads 8 "
                                             "--mlp relu --mlp-factor 4 --norms --batch 1024 --schedule-steps 10000 "
                                             "--steps 1000000 --rate 1e-4",
        ("[nv]*,base_conv,layers=*@*", 2 * 7): "least_squares --width 256 --mlp relu --norms --batch 1024 --rate 1e-4",
        ("[nv]*,layers=64@1e-4", 4): "--layers 64",
        ("third_of_steps,softmax,*", 7): "--width 256 --schedule-steps 3333 --steps 333333",
        ("values1to5,*", 2 * 7): "--condition 5"},
    "recipe": {
        ("*seed=1@*", 8 * 4): "explicit_gradient --rows 20 --dim 5 --mixer base_conv --layers 3 --width 64 --dtype f32 "
                              "--batch 1024 --schedule-steps 3000 --steps 2500000",
        **{(f"*seed=1@{rate}", 8): f"--rate {rate}" for rate in ("1e-2", "3e-3", "1e-3", "3e-4")},
        ("linear_attention@*", 1): "explicit_gradient --rows 20 --dim 5 --mixer attention --no-softmax --no-causal "
                                   "--layers 3 --width 256 --heads 16 --batch 1024 --schedule step "
                                   "--schedule-steps 12500 --rate 5e-4 --steps 2500000"},
    "iterates": {
        ("k=4,BaseConv,Adam@*", 1): "multistep_gd --dim 5 --rows 20 --iterates 4 --mixer base_conv --layers 6 --width 64 "
                                    "--dtype f32 --batch 1024 --schedule step --schedule-steps 3000 --steps 1000000 "
                                    "--rate 1e-2"},
    "generalization": {
        ("transformer@*", 1): "least_squares --rows 20 --dim 5 --width 256 --heads 8 --batch 1024 --rate 1e-4",
        ("paper_step@*", 1): "explicit_gradient --mixer base_conv --layers 3 --width 64 --batch 1024"},
    "odes": {
        ("transformer,class_[01],layers=*", 2 * 6): "ode_icl_final --rows 26 --points 20 --width 256 --batch 64 "
                                                    "--steps 1000000 --rate 1e-4",
        **{(f"*,layers={depth}@*", 2): f"--layers {int(depth)}" for depth in ("04", "12", "24")},
        ("paper_step@*", 1): "explicit_gradient --rows 25 --dim 22 --mixer base_conv --layers 4 --width 256 "
                             "--batch 1024 --rate 1e-3"},
}


def planned(program, folder, name):
    """Key, words and number of weights of each training."""
    code, error, out = reproduce(program, folder, name, "--budget", "full", "--plan")
    must(code == 0 and not folder.exists(), name, "--plan ended with", code, error)
    for line in out.splitlines():
        key, words, _, weights = re.fullmatch(r"(\S+): lsqnet train (.*?)( \((\d+) weights\))?", line).groups()
        yield key, words + " ", weights


def check_plan(program, folder, name):
    trainings = list(planned(program, folder, name))
    for key, words, weights in trainings:
        must(weights is not None or "--init " in words, key, "has no weights")
        if "levenberg_marquardt" in words and "--memory" in words:
            memory = int(re.search(r"--memory (\d+)", words)[1])
            must(16 * int(weights) ** 2 < memory, name, key, "its normal equations do not fit")
    for (pattern, count), wanted in FULL.get(name, {}).items():
        found = [words for key, words, _ in trainings if fnmatch(key, pattern)]
        must(len(found) == count, name, len(found), "trainings are", pattern)
        for words in found:
            for word in re.findall(r"--\S+ [^-]\S*|\S+", wanted):
                must(word + " " in words, name, pattern, "has no", word, "in", words)


def check_start(program, name):
    """It is stopped after a second, or once it has measured something, and leaves what it goes on from."""
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path)
        command = [program, "reproduce", name, "--budget", "full", "--quiet", "--threads", "1", "-o", folder]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            end = time.monotonic() + 1
            while time.monotonic() < end and not (folder / f"{name}.json").exists():
                time.sleep(0.001)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=600)
        must(process.returncode == 1 and "interrupted: the same command goes on from here" in errors, name, "ended with",
             process.returncode, errors)
        must(list(folder.glob(f"{name}*")), name, "left nothing")


def main():
    program = Path(sys.argv[1]).resolve()
    for name in NAMES:
        with tempfile.TemporaryDirectory() as path:
            check_plan(program, Path(path) / "none", name)
        begin = time.monotonic()
        check_start(program, name)
        print(name, f"{time.monotonic() - begin:.1f} s")


if __name__ == "__main__":
    main()
