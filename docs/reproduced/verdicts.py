#!/usr/bin/env python3
"""The verdicts in docs/paper.md, from the files beside this one, which `lsqnet reproduce all -o .` wrote.

    verdicts.py            writes them into docs/paper.md
    verdicts.py --check    fails if they are not what is there, or if a picture that a document shows is missing
    verdicts.py --compare DIR   fails if a claim that holds here does not hold in the files of DIR"""
import json
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAPER = HERE.parent / "paper.md"


def number(value):
    if value is None:
        return ""
    if 0 < abs(value) < 1e-280:  # over what has diverged
        return "none"
    return f"{value:.3g}" if 0.01 <= abs(value) < 1e4 or value == 0 else f"{value:.1e}"


def table(name):
    result = json.loads((HERE / f"{name}.json").read_text(encoding="utf-8"))
    yield f"<!-- verdict of {name}, written by reproduced/verdicts.py -->"
    yield "| claim | measured | wanted | holds |\n| --- | ---: | ---: | --- |"
    for one in result["verdict"]:
        yield (f"| {one['claim']} | {number(one['ratio'])} | {one['wanted']} {one['bound']:.3g} | "
               f"{'yes' if one['holds'] else '**no**'} |")
    yield "<!-- end of verdict -->"


def holding(path):
    return {one["claim"]: one["holds"] for one in json.loads(path.read_text(encoding="utf-8"))["verdict"]}


def compare(folder):
    lost = []
    for path in sorted(HERE.glob("*.json")):
        there = holding(folder / path.name)
        lost += [f"{path.stem}: {claim}" for claim, holds in holding(path).items() if holds and not there.get(claim)]
    if lost:
        sys.exit("holds no longer:\n" + "\n".join(lost))
    print("every claim that held holds again")


def main():
    if "--compare" in sys.argv:
        compare(Path(sys.argv[sys.argv.index("--compare") + 1]))
        return
    old = PAPER.read_text(encoding="utf-8")
    new = re.sub(r"<!-- verdict of ([\w-]+).*?<!-- end of verdict -->", lambda found: "\n".join(table(found.group(1))),
                 old, flags=re.DOTALL)
    if "--check" not in sys.argv:
        PAPER.write_text(new, encoding="utf-8")
        return
    if new != old:
        sys.exit(f"{PAPER}: a verdict is not what its file says; write it by docs/reproduced/verdicts.py")
    for document in (PAPER, HERE.parent / "gallery.md"):
        for link in re.findall(r"\((reproduced/[^)#]+)\)", document.read_text(encoding="utf-8")):
            if not (HERE.parent / link).exists():
                sys.exit(f"{document}: {link} is not there")


if __name__ == "__main__":
    main()
