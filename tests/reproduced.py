"""What `lsqnet reproduce` writes: the runs of NAME.json, the table of NAME.md, pictures; for test_reproduce.py."""
import json
import math
import re
import subprocess
from xml.etree import ElementTree

NAMES = ["construction", "primitives", "end-to-end", "recipe", "iterates", "generalization", "odes", "algorithms",
         "mixed-precision", "real-data", "solution"]
# heading of each column of NAME.md, and the field of a run that stands below it
SIZES = {"rows": "--rows", "D": "--dim", "width": "--width", "layers": "--layers", "batch": "--batch"}
AFTER = {"steps": "steps", "seconds": "seconds", "tries": "tries"}
OPTIMISED = {"optimizer": "optimizer", "parameters": "parameters", **SIZES, **AFTER}
PRECISION = {"optimizer": "optimizer", "precision": "precision", **OPTIMISED}
ERRORS = {"MSE": "mse", "relative MSE": "relative"}
COLUMNS = {
    "construction": {"problems": "problems", "iterates": "iterates", "median MSE of x at the end": "median_mse",
                     "largest deviation of x from gradient descent": "deviation"},
    "primitives": {**OPTIMISED, **ERRORS},
    "end-to-end": {**PRECISION, "times applied": "applied", "MSE": "mse"},
    "recipe": {**OPTIMISED, "best try": "best", **ERRORS},
    "iterates": {"how": "how", **PRECISION, **ERRORS},
    "generalization": {
        "parameters": "parameters", **OPTIMISED, "MSE in training's terms": "mse",
        "Transformer, MSE of x": "mse_transformer", "its standard error": "error_transformer",
        "model, 2000 iterates": "mse_iterate", "model, the solver's gradient descent": "mse_descent",
        "model, conjugate gradients": "mse_conjugate", "model, its normal equations": "mse_model",
        "exact: the model refined": "mse_refined", "the paper's own model, 2000 iterates": "mse_paper",
        "Transformer's gap over that of the iterates": "ratio_iterate",
        "of the solver's gradient descent": "ratio_descent", "of conjugate gradients": "ratio_conjugate",
        "of its normal equations": "ratio_model"},
    "odes": {"optimizer": "optimizer", "parameters": "parameters", **SIZES, "points": "--points", **AFTER,
             "MSE in training's terms": "mse", "Transformer, MSE of u": "mse_transformer",
             "200 iterates of the model": "mse_model", "200 of the paper's own model": "mse_paper",
             "200 of gradient descent": "mse_descent",
             "the model refined": "mse_refined", "LAPACK's dgels": "mse_lapack"},
    "algorithms": {
        **OPTIMISED, "MSE of a step": "mse", "relative MSE of a step": "relative", "problems": "problems",
        "times applied": "applied", "error² at the end, median": "error", "worst": "error_worst",
        "of the exact step, median": "error_exact", "of the exact step, worst": "error_exact_worst"},
    "mixed-precision": {
        "precision": "precision", "optimizer": "optimizer", **SIZES, **AFTER,
        "MSE of the step on exact data": "mse", "MSE of a step": "mse_step", "MSE of x, model alone": "mse_alone",
        "MSE of x, refined in float64": "mse_refined"},
    "real-data": {
        "rows": "rows", "unknowns": "unknowns", "model": "model", "digits, lsqnet": "digits",
        "digits, model alone": "digits_unrefined", "digits, dgels": "digits_lapack", "µs, lsqnet": "microseconds",
        "µs, model alone": "microseconds_unrefined", "µs, dgels": "microseconds_lapack",
        "lsqnet's time over dgels'": "time_ratio", "batch": "batch",
        "problems a second, lsqnet, one thread": "per_second_one",
        "problems a second, dgels, one thread": "per_second_lapack", "threads": "threads_all",
        "problems a second, lsqnet, so many threads": "per_second_all", "dgels and its BLAS": "lapack",
        "processor": "processor"},
    "solution": {**OPTIMISED, "problems": "problems", "times applied": "applied", "least loops": "least_loops",
                 "most loops": "most_loops", "loops measured": "loops", "MSE": "mse",
                 "MSE after twice the loops": "mse_twice"}}
TRAINING = {"command": str, "optimizer": str, "precision": str, "parameters": int, "steps": int, "seconds": float,
            "tries": int, "mse": (float, type(None)), "curve_steps": list, "curve_seconds": list,
            "curve_loss": list}
CONDITIONS = {"commit": str, "date": str, "processor": str, "processors": int, "threads": int, "level": str,
              "load_begin": float,
              "load_end": float}
SUPPORTED, NOT_SUPPORTED = 0, 4


def must(holds, *what):
    if not holds:
        raise SystemExit(" ".join(map(str, what)))


def reproduce(program, folder, *words):
    """Exit code and last line of standard error."""
    done = subprocess.run([program, "reproduce", *words, "-o", folder], capture_output=True, text=True, check=False)
    errors = done.stderr.strip().splitlines()
    return done.returncode, errors[-1] if errors else "", done.stdout


def smoke(program, folder, name):
    code, error, _ = reproduce(program, folder, name, "--budget", "smoke", "--quiet")
    must(code in (SUPPORTED, NOT_SUPPORTED), name, "ended with", code, error)
    must(code == SUPPORTED or error == "lsqnet: not every claim is supported by these runs", error)
    return code


def read(folder, name):
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


def check_curve(run):
    """From the first step on, and without a hole."""
    steps, seconds, loss = run["curve_steps"], run["curve_seconds"], run["curve_loss"]
    must(len(steps) == len(seconds) == len(loss) > 0 and seconds == sorted(seconds), run["key"], "has no curve")
    if run["optimizer"] == "adam":
        must(steps[0] == 1, run["key"], "begins at step", steps[0])
        for before, after in zip(steps, steps[1:]):
            must(before < after <= 1.1 * before + 1, run["key"], "has nothing between", before, after)


def cells(line):
    return [cell.strip() for cell in line.split("|")[1:-1]]


def same_number(cell, value):
    """1e300 stands for what has diverged; a ratio to it is none."""
    if cell in ("diverged", "none"):
        return value >= 1e300 if cell == "diverged" else 0 < abs(value) < 1e-280
    return math.isclose(float(cell), value, rel_tol=0.06)


def told(run, field):
    """A run's field, or what follows that word in its command, where Gauss-Newton sizes its batch itself."""
    words = run.get("command", "").split()
    if field in words:
        return int(words[words.index(field) + 1])
    if field == "--batch" and words and run["optimizer"] in ("levenberg_marquardt", "gauss_newton_cg"):
        return "auto"
    field = field.removeprefix("--")
    return run.get(field, run["conditions"].get(field))


def check_table(table, name, runs):
    """Each column has its heading, and below it the runs' own numbers."""
    lines = table[table.index("| run |"):].split("\n\n")[0].splitlines()
    header, fields = cells(lines[0]), list(COLUMNS[name].values())
    must(header == ["run", *COLUMNS[name]], name, "columns", header)
    must(re.fullmatch(r"\| --- \|( ---: \|)+", lines[1]) and len(cells(lines[1])) == len(header), lines[1])
    shown = [run for run in runs if "@" not in run["key"]]
    must(len(lines) == 2 + len(shown), name, "rows", len(lines) - 2, "runs", len(shown))
    for line, run in zip(lines[2:], shown):
        row = cells(line)
        must(len(row) == len(header) and row[0] == run["key"], "row", line)
        for heading, field, cell in zip(header[1:], fields, row[1:]):
            value = told(run, field)
            same = cell == ("" if value is None else str(value))
            must(same_number(cell, value) if isinstance(value, float) else same, run["key"], heading, cell, "not", value)


def check_picture(picture, table):
    """Both axes have a title, which the table knows it by, and texts are words and not keys of runs; the key stands
    below all of it."""
    root = ElementTree.parse(picture).getroot()
    must(root.tag.endswith("svg") and len(list(root.iter())) > 20, picture, "is no picture")
    heights = {}  # of a text on the page, in pixels from above
    for group in root.findall(".//{*}g"):
        for text in group.findall("{*}text"):
            place = re.match(r"translate\(.+?,(.+?)\)", group.get("transform"))
            heights["".join(text.itertext()).strip()] = float(place[1])
    titles = re.search(rf"!\[(.+) over (.+)\]\({picture.name}\)", table).groups()
    must(all(title in heights for title in titles), picture, "axes", titles, "not in", heights)
    must(not any(re.search("_|-no-|layers=", text) for text in heights), picture, "shows a key", heights)
    lowest = max(heights[title] for title in titles)
    must(any(height > lowest for height in heights.values()), picture, "has no key", heights)
    must(not any(0 < height - lowest < 25 for text, height in heights.items() if text), picture, "key and axis touch",
         heights)


def check_shape(folder, name):
    result = read(folder, name)
    must(result["experiment"] == name and result["budget"] == "smoke", "head", result["experiment"], result["budget"])
    keys = [run["key"] for run in result["runs"]]
    must(len(keys) == len(set(keys)) and keys, "keys", keys)
    for run in result["runs"]:
        for field, kind in CONDITIONS.items():
            must(isinstance(run["conditions"].get(field), kind), run["key"], field, run["conditions"])
        must(run["conditions"]["processors"] >= run["conditions"]["threads"] > 0 and
             re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", run["conditions"]["date"]), run["conditions"])
    trainings = [run for run in result["runs"] if "command" in run]
    for run in trainings:
        for field, kind in TRAINING.items():
            must(field in run and isinstance(run[field], kind), run["key"], field, run.get(field))
        check_curve(run)
        must(run["parameters"] > 0 and run["steps"] > 0 and run["tries"] > 0, run["key"], "is empty")
    must(result["verdict"], "no verdict")
    for one in result["verdict"]:
        must(one["ratio"] is None or one["holds"] == (one["ratio"] >= one["bound"] if one["wanted"] == "at least"
                                                      else one["ratio"] <= one["bound"]), one)
    table = (folder / f"{name}.md").read_text(encoding="utf-8")
    check_table(table, name, result["runs"])
    for one in result["verdict"]:
        must(one["claim"] in table, one["claim"], "is not in the table")
    beside = re.findall(r"^(?:Paper: .+, here: |- )(not measured|\S+), which (holds|does \*\*not\*\* hold) \((.+)\)\.$",
                        table, re.MULTILINE)
    must(len(beside) == (len(result["verdict"]) if name == "generalization" else 1), "beside the paper:", beside)
    for here, held, claim in beside:
        one = next(one for one in result["verdict"] if one["claim"] == claim)
        must((held == "holds") == one["holds"], "beside the paper:", held, claim)
        must(here == "not measured" if one["ratio"] is None else same_number(here, one["ratio"]), "beside the paper:", here,
             "not", one["ratio"])
    pictures = sorted(folder.glob(f"{name}-*.svg"))
    must(pictures and all(f"({picture.name})" in table for picture in pictures), "pictures", pictures)
    for picture in pictures:
        check_picture(picture, table)
    return result, trainings


def pictures_of(program, folder, name, result):
    """What is drawn of these runs."""
    (folder / f"{name}.json").write_text(json.dumps(result), encoding="utf-8")
    smoke(program, folder, name)
    return {path.name: path.read_text(encoding="utf-8") for path in folder.glob(f"{name}-*.svg")}
