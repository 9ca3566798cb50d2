#!/usr/bin/env python3
"""Every public header compiles alone, as C99 and as C++11 (lsqnet.hpp as C++11 to C++20), without a warning, and the
structs of C headers have no padding on 64-bit targets or on 32-bit ones that align int64_t and double to 8 bytes.

    test_headers.py INCLUDE_FOLDER"""
import platform
import shutil
import subprocess
import sys
from pathlib import Path

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror", "-fsyntax-only"]
NO_PADDING = ["-Wpadded"]
LANGUAGES = [
    (["gcc", "clang"], ["-x", "c", "-std=c99", "-Wstrict-prototypes"]),
    (["g++", "clang++"], ["-x", "c++", "-std=c++11"]),
]
WRAPPER_STANDARDS = ["-std=c++11", "-std=c++17", "-std=c++20"]
# freestanding: no 32-bit C library is needed for <stdint.h>
SMALL_TARGET = ["-x", "c", "-std=c99", "-m32", "-malign-double", "-ffreestanding"]


def compiles(include, header, command):
    source = f"#include <lsqnet/{header}>\n"
    run = subprocess.run([*command, *WARNINGS, "-I", include, "-"], input=source, capture_output=True, text=True)
    print("ok  " if run.returncode == 0 else "FAIL", header, *command, run.stderr.strip())
    return run.returncode == 0


def main():
    include = sys.argv[1]
    headers = sorted(path.name for path in Path(include, "lsqnet").glob("*.h"))
    commands, wrapper = [], []
    for compilers, flags in LANGUAGES:
        present = [[compiler, *flags] for compiler in compilers if shutil.which(compiler)]
        if not present:
            print("none of", *compilers)
            return 1
        commands += [[*command, *NO_PADDING] for command in present]
        if "c++" in flags:
            wrapper += [[compiler[0], "-x", "c++", standard] for compiler in present for standard in WRAPPER_STANDARDS]
    if platform.machine() == "x86_64" and shutil.which("gcc"):
        commands.append(["gcc", *SMALL_TARGET, *NO_PADDING])
    results = [compiles(include, header, command) for header in headers for command in commands]
    results += [compiles(include, "lsqnet.hpp", command) for command in wrapper]
    return 0 if results and all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
