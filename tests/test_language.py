#!/usr/bin/env python3
"""A language as its users meet it: its example is built and run against the installed library, as the example's first
lines say, and a program of claims beside it (tests/languages) holds what the binding promises.

    test_language.py LANGUAGE MESON BUILD_FOLDER SOURCE_FOLDER CC..."""
import os
import re
import shutil
import sys
from pathlib import Path

from installed import Installed

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror"]
DIGITS = 13  # of the worst coefficient: what the report promises, and 15 are certified


class Language:
    def __init__(self, it, source, build, compiler):
        self.it, self.source, self.build, self.compiler = it, source, build, compiler
        self.examples, self.claims = source / "examples", source / "tests/languages"

    def copy(self, folder, *names):
        """Files as a user copies them."""
        for name in names:
            shutil.copy(folder / name, self.it.scratch)

    def c(self):
        self.it.run(*self.compiler, "-std=c99", *WARNINGS, self.examples / "tour.c", *self.it.flags, "-o", "tour")
        return ["./tour"], None

    def cpp(self):
        self.it.run("c++", "-std=c++11", *WARNINGS, self.examples / "cpp/tour.cpp", *self.it.flags, "-o", "tour")
        self.it.run("c++", "-std=c++11", *WARNINGS, self.source / "tests/test_cpp.cpp", *self.it.flags, "-o", "claims")
        return ["./tour"], ["./claims"]

    def python(self):
        self.copy(self.examples / "python", "lsqnet.py", "tour.py", "own_mixer.py")
        self.copy(self.claims, "claims.py")
        print(self.it.run(sys.executable, "own_mixer.py"))
        return [sys.executable, "tour.py"], [sys.executable, "claims.py"]

    def rust(self):
        self.copy(self.examples / "rust", "lsqnet.rs", "tour.rs")
        self.copy(self.claims, "claims.rs")
        for name in ("tour", "claims"):
            self.it.run("rustc", "-D", "warnings", f"{name}.rs", "-L", self.it.library.parent)
        return ["./tour"], ["./claims"]

    def fortran(self):
        self.copy(self.examples / "fortran", "lsqnet.f90", "tour.f90")
        self.copy(self.claims, "claims.f90")
        for name in ("tour", "claims"):
            self.it.run("gfortran", "-std=f2018", "-Wall", "-Wextra", "-Werror", "lsqnet.f90", f"{name}.f90",
                        *self.it.flags, "-o", name)
        return ["./tour"], ["./claims"]

    def javascript(self):
        folder = self.build / "javascript"  # kept: koffi is fetched once a build folder
        folder.mkdir(exist_ok=True)
        shutil.copy(self.examples / "javascript/package.json", folder)
        if not (folder / "node_modules/koffi").exists():
            self.it.run("npm", "install", "--no-audit", "--no-fund", "--no-package-lock", cwd=folder)
        os.symlink(folder / "node_modules", self.it.scratch / "node_modules")
        self.copy(self.examples / "javascript", "lsqnet.mjs", "tour.mjs")
        self.copy(self.claims, "claims.mjs")
        return ["node", "tour.mjs"], ["node", "claims.mjs"]


def certified(source, name):
    lines = (source / f"examples/data/nist/{name}.certified.csv").read_text(encoding="utf-8").splitlines()
    return [float(line.split(",")[1]) for line in lines[1:]]


def check_tour(text, right):
    """What every language's tour prints."""
    x = [float(number) for number in re.findall(r"^x\[\d+\] = *(\S+)$", text, re.MULTILINE)]
    if len(x) != len(right) or not all(abs(a - b) <= 10**-DIGITS * abs(b) for a, b in zip(x, right)):
        raise SystemExit(f"x = {x}\ncertified {right}\n{text}")
    digits = re.search(r"^about (\S+) right digits$", text, re.MULTILINE)
    if not digits or not float(digits.group(1)) >= DIGITS:
        raise SystemExit(f"no report of {DIGITS} digits:\n{text}")
    losses = re.search(r"^training: loss (\S+), after 20 steps (\S+)$", text, re.MULTILINE)
    if not losses or not float(losses.group(2)) <= float(losses.group(1)) / 1000:
        raise SystemExit(f"no training that gets anywhere:\n{text}")
    if not re.search(r"^error: LSQNET_E_IO: no such file: .*No such file", text, re.MULTILINE):
        raise SystemExit(f"no message of the library's:\n{text}")


def main():
    name, meson, build, source, *compiler = sys.argv[1:]
    source = Path(source)
    with Installed(meson, build) as it:
        language = Language(it, source, Path(build).resolve(), compiler)
        tour, claims = getattr(language, name)()
        text = it.run(*tour, it.prefix / "share/lsqnet/models/la-gd1-d8.safetensors",
                      source / "examples/data/nist/Longley.csv")
        print(text)
        check_tour(text, certified(source, "Longley"))
        if claims is not None:
            print(it.run(*claims))
    return 0


if __name__ == "__main__":
    sys.exit(main())
