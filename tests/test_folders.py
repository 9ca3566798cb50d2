#!/usr/bin/env python3
"""The folders of lib/ stand in an order, and a file includes only from folders below its own.

    test_folders.py SOURCE_ROOT"""
import re
import sys
from pathlib import Path

BELOW = {  # folder: the ones it may include from
    "base": [],
    "kernels": ["base"],
    "layers": ["base", "kernels"],
    "model": ["base", "kernels", "layers"],
    "store": ["base", "kernels", "layers", "model"],
    "prompts": ["base", "kernels", "layers", "model"],
    "tasks": ["base", "kernels", "layers", "model", "store", "prompts"],
    "train": ["base", "kernels", "layers", "model", "store", "prompts", "tasks"],
    "solve": ["base", "kernels", "layers", "model", "store", "prompts"],
    "api": ["base", "kernels", "layers", "model", "store", "prompts", "tasks", "train", "solve"],
}
ONLY_IN_KERNELS = {"blis.h", "blis/blis.h", "cblas.h", "lapack.h", "lapacke.h"}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)


def faults_of_include(lib, folder, quote, name):
    if name in ONLY_IN_KERNELS and folder != "kernels":
        yield f"{name} is for lib/kernels only"
    if name.startswith("lsqnet/") or quote == "<":
        return
    other = name.split("/")[0]
    if not (lib / name).is_file():
        yield f'"{name}" is not a path from lib/'
    elif other != folder and other not in BELOW[folder]:
        yield f'"{name}": {folder} stands below {other}, or beside it'


def faults_of_file(lib, path):
    folder = path.relative_to(lib).parts[0]
    if folder not in BELOW:
        yield f"no folder of this name in the order: {', '.join(BELOW)}"
        return
    for quote, name in INCLUDE.findall(path.read_text(encoding="utf-8")):
        yield from faults_of_include(lib, folder, quote, name)
    if path.suffix == ".c" and f"'{path.name}'" not in (path.parent / "meson.build").read_text(encoding="utf-8"):
        yield "not listed in its folder's meson.build"


def main():
    lib = Path(sys.argv[1]) / "lib"
    paths = sorted(path for path in lib.rglob("*") if path.suffix in (".c", ".h"))
    faults = [f"{path.relative_to(lib.parent)}: {fault}" for path in paths for fault in faults_of_file(lib, path)]
    print(*faults, f"{len(paths)} files, {len(faults)} faults", sep="\n")
    return 1 if faults or len(paths) < 10 else 0


if __name__ == "__main__":
    sys.exit(main())
