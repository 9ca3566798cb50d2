#!/usr/bin/env python3
"""lsqnet reproduce: the shape of what an experiment writes, that it goes on where it was stopped, and verdicts.

    test_reproduce.py LSQNET SOURCE_FOLDER NAME      an experiment with its smallest budget
    test_reproduce.py LSQNET SOURCE_FOLDER command   the list, refusals, an interrupt, carried data, docs/paper.md"""
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from fnmatch import fnmatch
from pathlib import Path
from xml.etree import ElementTree

from reproduced import (NAMES, NOT_SUPPORTED, SUPPORTED, check_curve, check_shape, check_table, must, pictures_of, read,
                        reproduce, smoke)


def check_resume(program, folder, name, result):
    """A run that is taken out is made again, and no other."""
    gone = result["runs"].pop()
    rest = json.dumps(result["runs"])
    (folder / f"{name}.json").write_text(json.dumps(result), encoding="utf-8")
    smoke(program, folder, name)
    again = read(folder, name)["runs"]
    keys = [run["key"] for run in again]
    must(keys[-1] == gone["key"] and json.dumps(again[:-1]) == rest, "made again:", keys)


def check_alone(program, folder, name):
    """Table and pictures follow from NAME.json alone: trained models may be gone."""
    with tempfile.TemporaryDirectory() as path:
        alone = Path(path)
        (alone / f"{name}.json").write_bytes((folder / f"{name}.json").read_bytes())
        smoke(program, alone, name)
        must(read(alone, name) == read(folder, name), name, "is not what it was")
        for file in folder.glob(f"{name}*.[ms][dv]*"):
            must((alone / file.name).exists(), file.name, "was not made from the file alone")
        must((alone / f"{name}.md").read_bytes() == (folder / f"{name}.md").read_bytes(), name, "has another table")


def check_stale(program, folder, name):
    """A run of another configuration is not taken for this one's, and not lost either: neither a training nor what was
    measured, in another way or with another model."""
    result = read(folder, name)
    trainings = [run for run in result["runs"] if "command" in run and "best" not in run and "--out" in run["command"]]
    changes = [(run, field, value) for run in trainings[:1]
               for field, value in (("command", "square --width 3"), ("seconds_most", 12345.0))]
    measured = ("problems", "applied", "iterates", "unknowns", "least_loops", "width")
    changes += [(run, field, run[field] + 1) for run in result["runs"] for field in measured if field in run]
    changes += [(run, "models", {**run["models"], key: "square --width 3"}) for run in result["runs"]
                for key in run.get("models", ())]
    changes += [(run, "seconds", 2 * run["seconds"]) for run in result["runs"] if run["key"] == "equal_time"]
    must(changes, name, "has nothing to judge by")
    for run, field, value in changes[:2] + changes[2::1 + len(changes) // 8]:
        with tempfile.TemporaryDirectory() as path:
            stale = Path(path)
            kept, run[field] = run.get(field), value
            text = json.dumps(result)
            run[field] = kept
            (stale / f"{name}.json").write_text(text, encoding="utf-8")
            code, error, _ = reproduce(program, stale, name, "--budget", "smoke", "--quiet")
            must(code == 3 and f"{name}.json: run {run['key']} there is of another configuration" in error, name,
                 run["key"], field, code, error)
            must((stale / f"{name}.json").read_text(encoding="utf-8") == text, "the file changed")


def check_verdict(program, folder, name):
    """It follows the file: what could not be measured supports nothing."""
    result = read(folder, name)
    for run in result["runs"]:
        for field, value in run.items():
            if isinstance(value, float) and field not in ("seconds", "seconds_most"):
                run[field] = None
    (folder / f"{name}.json").write_text(json.dumps(result), encoding="utf-8")
    code, error, _ = reproduce(program, folder, name, "--budget", "smoke", "--quiet")
    must(code == NOT_SUPPORTED or (code == 1 and "no run has anything to draw" in error), name, code, error)
    verdict = read(folder, name)["verdict"]
    unknown = [one for one in verdict if one["left"] is None]
    must(unknown and not any(one["holds"] for one in unknown), "a verdict that does not look at its numbers", verdict)


def judged(program, folder, name, change):
    """Which claims hold, by the first words of each, once `change` has been done to every run."""
    result = read(folder, name)
    for run in result["runs"]:
        change(run)
    (folder / f"{name}.json").write_text(json.dumps(result), encoding="utf-8")
    smoke(program, folder, name)
    return {one["claim"]: one["holds"] for one in read(folder, name)["verdict"]}


def holds(verdict, words):
    found = [one for claim, one in verdict.items() if claim.startswith(words)]
    must(len(found) == 1, words, "begins", len(found), "claims")
    return found[0]


def setting(field, values):
    """A change: the field becomes what the first pattern says that the key matches."""
    def change(run):
        for pattern, value in values:
            if fnmatch(run["key"], pattern):
                run[field] = value
                return
    return change


def check_medians(program, folder, name):
    """Three seeds are drawn as one whose losses and errors at the end are their medians."""
    def scaled(run, seed, factor):
        return {**run, "key": run["key"].replace("seed=1", f"seed={seed}"),
                "mse": factor * run["mse"], "curve_loss": [factor * loss for loss in run["curve_loss"]]}
    result = read(folder, name)
    whole, seeds = result["runs"], [run for run in result["runs"] if run["key"].endswith("seed=1")]
    one = {**result, "runs": [scaled(run, 1, 10) if run in seeds else run for run in whole]}
    three = {**result, "runs": whole + [scaled(run, seed, 10 ** (4 - seed)) for run in seeds for seed in (2, 3)]}
    drawn = [pictures_of(program, folder, name, runs) for runs in (one, three, result)]
    must(drawn[0] == drawn[1] != drawn[2], name, "pictures do not show medians")


def check_recipe(program, folder):
    """A schedule is judged by its own seeds alone, the better of its rates for each."""
    check_medians(program, folder, "recipe")
    tries = {run["key"]: run.get("tries") for run in read(folder, "recipe")["runs"]}
    must(tries["adaptive,seed=1"] == tries["adaptive,EMA,seed=1"] == 2 + 4 and tries["step,seed=1"] == 2, "tries", tries)
    words = "the EMA of gradients helps an adaptive rate"
    for without, wanted in ((1e-7, True), (1.5e-8, False), (1e-9, False)):
        values = [("adaptive,seed=?", without), ("adaptive,EMA,seed=?", 1e-8)]
        must(holds(judged(program, folder, "recipe", setting("mse", values)), words) == wanted, words, without)


def check_solution(program, folder):
    """An iteration that converges is told by what twice the loops give, beside the exact step's."""
    runs = {run["key"]: run for run in read(folder, "solution")["runs"]}
    exact, alone = runs["exact,alone"], runs["solution_alone"]
    expected = 0.8 ** 64 / 3  # eigenvalues of H are 1, 1/5 and one between: a third of (1 - 1/5)^(2 * 2^5), and more
    must(0.8 < exact["mse"] / expected < 1.25, "exact Newton-Schulz", exact["mse"], "not", expected)
    must(exact["mse_twice"] < 1e-28, "exact Newton-Schulz after ten steps", exact["mse_twice"])
    must("command" in alone, "solution_alone has no command")
    must([alone[size] for size in ("rows", "dim", "width", "layers", "batch")] == [8, 3, 10, 1, 64], "sizes", alone)
    words = "but is no iteration that converges"
    for twice, wanted in ((2e-3, True), (exact["mse_twice"] * 1e6, False)):
        change = setting("mse_twice", [("solution_alone", twice), ("exact,alone", exact["mse_twice"])])
        must(holds(judged(program, folder, "solution", change), words) == wanted, words, twice)
    for words, key in (("trained on it after two to seven loops", "solution_alone,loops=2to7"),
                       ("and what it learned can be repeated", "solution_alone,loops=growing")):
        for ratio, wanted in ((0.5, True), (50, False)):
            change = setting("mse_twice", [(key, ratio * runs[key]["mse"])])
            must(holds(judged(program, folder, "solution", change), words) == wanted, words, ratio)
    for run in (exact, *(run for key, run in runs.items() if key.startswith("solution_alone"))):
        must(run["k"] == list(range(1, 11)) and [run["mse"], run["mse_twice"]] == [run["curve"][4], run["curve"][9]],
             run["key"], "has other errors in its curve")
    grown, any_number = runs["solution_alone,loops=growing"], runs["solution_alone,loops=2to7"]
    must(grown["curve"] != any_number["curve"], "the number of loops does not grow")


def falling(rate):
    """A change: losses of Transformers fall like a power of time, with some noise."""
    def change(run):
        if "softmax,layers" in run["key"]:
            run["curve_steps"] = [1.15 ** k for k in range(40)]
            run["curve_loss"] = [0.1 * (1 + 0.1 * (-1) ** k) * 1.15 ** (-rate * k) for k in range(40)]
    return change


def check_smooth(program, folder):
    """A loss of 0.1 with one of 3.2 among it is drawn up to 0.2, the geometric mean of five."""
    def spiked(run):
        if "layers" in run["key"]:
            run["curve_steps"], run["curve_loss"] = list(range(1, 41)), [0.1] * 20 + [3.2] + [0.1] * 19
    judged(program, folder, "end-to-end", spiked)
    root = ElementTree.parse(folder / "end-to-end-training.svg").getroot()
    texts = ["".join(text.itertext()).strip() for text in root.findall(".//{*}text")]
    must("0.1" in texts and "0.2" in texts and "0.5" not in texts, "losses are drawn between", texts)


def check_end_to_end(program, folder):
    """Exact gradient descent is at each point of the iterated model's curve. Losses that still fall have not levelled
    off, and one depth that falls is enough."""
    check_smooth(program, folder)
    runs = {run["key"]: run for run in read(folder, "end-to-end")["runs"]}
    for law in ("normal", "values1to5"):
        exact, model = runs[f"{law},exact"], runs[f"{law},iterated"]
        must(exact["k"] == model["k"] and exact["curve"][0] == model["curve"][0], law, "begins elsewhere")
        must(exact["mse"] == exact["curve"][-1] and exact["applied"] == exact["k"][-1], law, "ends elsewhere")
        for before, after in zip(exact["curve"], exact["curve"][1:]):
            must(after < before or after < 1e-20, law, "exact gradient descent rises from", before, "to", after)
    words = "Transformers level off"
    for rate, wanted in ((0, True), (0.1, True), (1, False)):
        must(holds(judged(program, folder, "end-to-end", falling(rate)), words) == wanted, words, rate)
    flat, steep = falling(0), falling(1)

    def one_depth(run):
        (steep if run["key"].startswith("normal,softmax,layers=01") else flat)(run)
    must(not holds(judged(program, folder, "end-to-end", one_depth), words), words, "though one depth does not")
    words = "three times the steps change little"
    for third, wanted in ((0.011, True), (0.013, False)):
        change = setting("mse", [("normal,softmax,layers=02", 0.01), ("third_of_steps,softmax,layers=01", third),
                                 ("*,softmax,*", 0.02)])
        must(holds(judged(program, folder, "end-to-end", change), words) == wanted, words, third)
    words = "Transformers level off"
    short = setting("curve_steps", [("normal,softmax*", [1.0])])
    must(not holds(judged(program, folder, "end-to-end", short), words), words, "without a curve")


def check_generalization(program, folder):
    """Gaps have signs: better outside than inside is no gap, of the model or of the Transformer."""
    words = {"mse_iterate": "on each law", "mse_descent": "that of the solver's", "mse_conjugate": "that of conjugate",
             "mse_model": "that of the model's"}
    lost = {"mse_iterate": "where the Transformer has a gap at all", "mse_descent": "where it has one: over that of the s",
            "mse_conjugate": "where it has one: over that of conj",
            "mse_model": "where it has one: over that of the model's"}
    inside = {"mse_transformer": 1e-2, **{name: 1e-20 for name in words}}

    def judge(outside, uniform=None):
        def change(run):
            values = inside if run["key"] == "as in training" else outside
            values = uniform if uniform and run["key"] == "A uniform" else values
            run.update({field: value for field, value in values.items() if field in run})
        return judged(program, folder, "generalization", change)
    for field, claim in words.items():
        for transformer, model, wanted in ((1, 1e-19, True), (1, 0, True), (1, 1e-3, False), (1e-3, 1e-19, False),
                                           (1e-3, 1e-21, False)):
            others = {name: 1e-20 for name in words}
            verdict = judge({**others, "mse_transformer": transformer, field: model})
            must(holds(verdict, claim) == holds(verdict, lost[field]) == wanted, claim, transformer, model)
            must(all(holds(verdict, other) == (transformer > inside["mse_transformer"]) for name, other in words.items()
                     if name != field), claim, "moves another claim")
    verdict = judge({**{name: 1e-20 for name in words}, "mse_transformer": 1}, {**inside, "mse_transformer": 9e-3})
    must(not any(holds(verdict, claim) for claim in words.values()), "a law without a gap supports the claim")
    must(all(holds(verdict, claim) for claim in lost.values()), "a law without a gap counts where there is one")
    judge({**{name: 1e-20 for name in words}, "mse_transformer": 1, "mse_iterate": 1e300})
    table, runs = (folder / "generalization.md").read_text(encoding="utf-8"), read(folder, "generalization")["runs"]
    check_table(table, "generalization", runs)
    outside = sum("law" in run for run in runs) - 1
    must(table.count("| diverged |") == outside and table.count("| none |") == outside + 2, "what diverged", table)
    must("\n- none, which does **not** hold (on each law" in table, "the paper's iterates stand not beside its number")
    must("diverged" in (folder / "generalization-laws.svg").read_text(encoding="utf-8"), "the picture lacks them")


def check_mixed_precision(program, folder):
    """Models in float32 compute in float32: at its roundings (6e-8 squared), even where data are exact."""
    for run in read(folder, "mixed-precision")["runs"]:
        if "used on" in run["key"]:
            single = run["key"].startswith(("f32 model", "f64 model rounded to f32"))
            must(run["precision"] == ("f32" if single else "f64"), run["key"], run["precision"])
            if run["key"].endswith("used on f64") and single:
                for field in ("mse_step", "mse_alone"):  # none: a training that a slow machine cut short may diverge
                    must(run[field] is None or 1e-20 < run[field], run["key"], "is no float32")


def check_real_data(_, folder):
    """Each side has one thread, and a name; with all threads the solver is told apart."""
    for run in read(folder, "real-data")["runs"]:
        must(re.fullmatch(r"none|[^,/]+/[^,/]+, [^,/]+/[^,/]+", run["lapack"]), run["key"], "dgels is", run["lapack"])
        must(run["conditions"]["processor"].strip(), "no processor")
        if "batch" in run:
            must(run["threads_all"] == run["conditions"]["threads"], run["key"], "threads", run["threads_all"])
            must(min(run["per_second_one"], run["per_second_all"]) > 0, run["key"], "was not measured")


def check_iterates(program, folder):
    """Tries that came to nothing are told, once, however often the command is called."""
    for _ in range(2):
        smoke(program, folder, "iterates")
        tries = {run["key"]: run.get("tries") for run in read(folder, "iterates")["runs"]}
        must((tries["k=2"], tries["k=3"], tries["k=4,Adam"]) == (2, 5, 2), "tries", tries)
    eight = next(run for run in read(folder, "iterates")["runs"] if run["key"] == "k=8,one_pass")
    must("--layers 8" in eight["command"] and "--init k=4.safetensors" in eight["command"], eight["command"])
    must(eight["curve_loss"][-1] < 1, "eight layers do not begin with those of four", eight["curve_loss"])


def check_algorithms(program, folder):
    """Chebyshev's step is as exact as the momentum step that it is made of; claims look at the worst problem."""
    runs = {run["key"]: run for run in read(folder, "algorithms")["runs"]}
    applied = [run for run in runs.values() if "applied" in run]
    must([run["key"] for run in applied] == ["newton_schulz", "power_iteration", "momentum", "chebyshev"], "applied")
    for run in applied:
        must(run["problems"] == 21 and len(run["curve"]) == len(run["k"]) == run["applied"] + 1, run["key"], "curve")
        must(run["error"] == run["curve"][-1] and run["error_exact"] == run["curve_exact"][-1], run["key"], "its end")
        must(run["error_exact"] <= run["error_exact_worst"] < 1e-24 < run["curve_exact"][0], run["key"],
             "did not converge")
    must(applied[0]["error_exact"] < applied[0]["error_exact_worst"], "the worst problem is no worse than the median")
    step, made_of = runs["chebyshev_step"], runs["momentum_step"]
    must(step["problems"] >= 1024 and step["mse"] < 1e4 * made_of["mse"], "Chebyshev's step", step["mse"])
    judged(program, folder, "algorithms", setting("error_exact_worst", [("*", 1e-26)]))
    for field, key, words in (("mse", "chebyshev_step", "Chebyshev's learned step"),
                              ("relative", "chebyshev_step", "each learned step"),
                              ("error_worst", "newton_schulz", "Newton-Schulz inverts"),
                              ("error_worst", "power_iteration", "power iteration"),
                              ("error_worst", "momentum", "momentum"), ("error_worst", "chebyshev", "Chebyshev: ")):
        for value, wanted in ((1e-25, True), (1e-20, False)):
            values = [(key, value), ("*", 1e-25)]
            must(holds(judged(program, folder, "algorithms", setting(field, values)), words) == wanted,
                 words, value)


# what is drawn: a field of a run, and the pictures that it moves
DRAWN = {"construction": [(key, field, {"convergence"}) for key in ("gradient_descent", "linear_attention_split",
                                                                    "base_conv_repeat", "base_conv_split",
                                                                    "base_conv_query_first")
                          for field in ("median", "quartile_low", "quartile_high")],
         "recipe": [("adaptive,EMA,seed=1", "mse", {"training", "schedules", "parts"}),
                    ("constant,EMA,seed=1", "mse", {"schedules"})],
         "mixed-precision": [("f32 model by Adam, used on bf16", field, {"rounding"})
                             for field in ("mse_alone", "mse_refined")]}


def check_drawn(program, folder, name):
    """A curve ends with what its training ended with; quartiles and each model have their place."""
    result = read(folder, name)
    before = pictures_of(program, folder, name, result)
    for key, field, pictures in DRAWN[name]:
        run = next(run for run in result["runs"] if run["key"] == key)
        value = [x / 2 for x in run[field]] if isinstance(run[field], list) else (run[field] or 1e-9) / 2
        other = {**result, "runs": [{**one, field: value} if one is run else one for one in result["runs"]]}
        after = pictures_of(program, folder, name, other)
        moved = {file[len(name) + 1:-len(".svg")] for file in before if before[file] != after[file]}
        must(moved == pictures, key, field, "moves", moved)
    pictures_of(program, folder, name, result)


# checkpoints that a process is killed beside: one of the trainer, one of a looped model
KILLED = {"recipe": "recipe.*.state", "solution": "solution.solution_alone@*.state"}
CLAIMS = {"algorithms": check_algorithms, "end-to-end": check_end_to_end, "generalization": check_generalization,
          "recipe": check_recipe, "solution": check_solution, "iterates": check_iterates,
          "mixed-precision": check_mixed_precision, "real-data": check_real_data}


def check_experiment(program, name):
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path)
        code = smoke(program, folder, name)
        must(code == SUPPORTED or name not in ("construction", "real-data"), name, "is not supported")
        result, trainings = check_shape(folder, name)
        print(f"{len(result['runs'])} runs, {len(trainings)} of them trainings, {len(result['verdict'])} claims")
        if name in KILLED:
            check_kill(program, name, result, KILLED[name])
        check_resume(program, folder, name, result)
        check_alone(program, folder, name)
        check_stale(program, folder, name)
        if name in DRAWN:
            check_drawn(program, folder, name)
        if name in CLAIMS:
            CLAIMS[name](program, folder)
        check_verdict(program, folder, name)


def kill_while_training(command, folder, states):
    """Kills the process as soon as there is a checkpoint of the pattern, until one is left."""
    for _ in range(20):
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            while process.poll() is None and not list(folder.glob(states)):
                time.sleep(0.001)
            process.kill()
            process.communicate()
        left = list(folder.glob(states))
        if left:
            return left[0].name
    raise SystemExit("no checkpoint was left")


def check_kill(program, name, result, states):
    """A training that was killed and went on is the one that was not: the same curve, whole, and the same error."""
    whole = {run["key"]: run for run in result["runs"]}
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path)
        command = [program, "reproduce", name, "-o", folder, "--budget", "smoke"]
        key = kill_while_training(command, folder, states)[len(name) + 1:-len(".state")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        must(f"{name}: {key}: goes on at step " in done.stderr, key, "did not go on", done.stderr)
        run = next(run for run in read(folder, name)["runs"] if run["key"] == key)
        check_curve(run)
        for field in ("steps", "mse", "curve_steps", "curve_loss"):
            must(run[field] == whole[key][field], key, field, run[field], "not", whole[key][field])
        must(not list(folder.glob("*.state")) and not list(folder.glob("*.curve")), "checkpoints are left")


def check_stored(program, folder):
    """Tables in docs/reproduced are what this version makes of the files beside them, and pictures where gnuplot is the
    one that made them."""
    for name in NAMES:
        with tempfile.TemporaryDirectory() as path:
            (Path(path) / f"{name}.json").write_bytes((folder / f"{name}.json").read_bytes())
            code, error, _ = reproduce(program, path, name, "--quiet")
            must(code in (SUPPORTED, NOT_SUPPORTED), name, "made again ended with", code, error)
            for file in sorted(folder.glob(f"{name}[.-]*")):
                must((Path(path) / file.name).exists(), file.name, "is not made from the stored file")
            must((Path(path) / f"{name}.md").read_bytes() == (folder / f"{name}.md").read_bytes(), name,
                 "has another table than docs/reproduced")
            for stored in sorted(folder.glob(f"{name}-*.svg")):
                old, new = (file.read_text(encoding="utf-8") for file in (stored, Path(path) / stored.name))
                by = [re.search("GNUPLOT .*", picture)[0] for picture in (old, new)]
                must(by[0] != by[1] or old == new, stored, "is another picture than docs/reproduced has")
            must(len(list(Path(path).glob("*.svg"))) == len(list(folder.glob(f"{name}-*.svg"))), name, "more pictures")


def check_stop(program, name):
    """An interrupt ends what trains nothing too, soon; the same command goes on."""
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path)
        command = [program, "reproduce", name, "-o", folder, "--quiet"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            while process.poll() is None and not (folder / f"{name}.json").exists():
                time.sleep(0.001)
            process.send_signal(signal.SIGINT)
            begin = time.monotonic()
            _, errors = process.communicate(timeout=120)
        must(time.monotonic() < begin + 10, name, "took", time.monotonic() - begin, "s to end")
        must(process.returncode == 1 and "interrupted: the same command goes on from here" in errors, name, "ended with",
             process.returncode, errors)
        first = read(folder, name)["runs"]
        must("verdict" not in read(folder, name), name, "was finished")
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            while process.poll() is None and len(read(folder, name)["runs"]) == len(first):
                time.sleep(0.01)
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=120)
        must(read(folder, name)["runs"][:len(first)] == first and len(read(folder, name)["runs"]) > len(first), name,
             "did not go on")


def check_interrupt(program):
    """A training that was stopped leaves its state, and goes on from there."""
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path)
        command = [program, "reproduce", "recipe", "-o", folder, "--quiet", "--threads", "1"]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        time.sleep(2)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=120)
        must(process.returncode == 1 and "interrupted: the same command goes on from here" in errors, "errors", errors)
        states = list(folder.glob("*.state"))
        must(len(states) == 1 and states[0].with_suffix(".curve").exists(), "states", states)
        before = states[0].read_bytes()
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        time.sleep(2)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=120)
        must(states[0].exists() and states[0].read_bytes() != before, "the training did not go on")


def check_command(program, source):
    code, _, listed = reproduce(program, "unused")
    must(code == 0 and [line.split()[0] for line in listed.splitlines()] == NAMES, "the list", listed)
    code, error, _ = reproduce(program, "unused", "nothing")
    must(code == 2 and "no experiment \"nothing\"" in error, error)
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path)
        smoke(program, folder, "construction")
        code, error, _ = reproduce(program, folder, "construction", "--budget", "quick")
        must(code == 3 and "another budget than quick" in error, error)
        (folder / "construction.json").write_text("{", encoding="utf-8")
        code, error, _ = reproduce(program, folder, "construction", "--budget", "smoke")
        must(code == 3 and "construction.json:1: " in error, error)
        code, error, _ = reproduce(program, folder / "a" / "b", "construction")
        must(code == 1 and "No such file" in error, error)
        empty = {**os.environ, "PATH": path}
        done = subprocess.run([program, "reproduce", "real-data", "--budget", "smoke", "--quiet", "-o", path], env=empty,
                              capture_output=True, text=True, check=False)
        must(done.returncode == 1 and "gnuplot cannot be run" in done.stderr, done.stderr)
        must(not (folder / "real-data.json").exists(), "gnuplot was looked for after the work")
    check_interrupt(program)
    for name in ("construction", "real-data"):
        check_stop(program, name)
    subprocess.run([sys.executable, source / "tools/reproduce/data/make.py", "--check"], check=True)
    subprocess.run([sys.executable, source / "docs/reproduced/verdicts.py", "--check"], check=True)
    check_stored(program, source / "docs/reproduced")


def main():
    program, source, name = Path(sys.argv[1]).resolve(), Path(sys.argv[2]), sys.argv[3]
    if name == "command":
        check_command(program, source)
    else:
        check_experiment(program, name)


if __name__ == "__main__":
    main()
