#!/usr/bin/env python3
"""Every header that is installed compiles alone, as C99 and as C++11 (those of C++ as C++11 to C++20), with gcc and
clang, without a warning, and the structs of C headers have no padding on 64-bit targets or on 32-bit ones that align
int64_t and double to 8 bytes. A function of the interface is wrapped by lsqnet.hpp or listed here.

    test_headers.py SOURCE_FOLDER"""
import platform
import re
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
# in C++ as they are in C: numbers, texts, what has LAPACK's arguments; and a count, which is the size of a vector
PLAIN = {f"lsqnet_{name}" for name in ("version", "abi_version", "method_name", "stop_name", "road_name", "why_name",
                                       "dgels", "sgels", "context_mixer_count")}
# freestanding: no 32-bit C library is needed for <stdint.h>
SMALL_TARGET = ["-x", "c", "-std=c99", "-m32", "-malign-double", "-ffreestanding"]


def installed_by_deps(source):
    """`.ci/deps test`, on a machine that has no package, asks for both compilers."""
    done = subprocess.run(["/bin/sh", source / ".ci/deps", "test"], env={"PATH": "/nonexistent"}, capture_output=True,
                          text=True)
    missing = {"gcc", "g++", "clang"} - set(done.stderr.split())
    print("FAIL" if missing else "ok  ", ".ci/deps test:", done.stderr.strip())
    return not missing


def compiles(folders, header, command):
    source = f"#include <lsqnet/{header}>\n"
    includes = [word for folder in folders for word in ("-I", folder)]
    run = subprocess.run([*command, *WARNINGS, *includes, "-"], input=source, capture_output=True, text=True)
    print("ok  " if run.returncode == 0 else "FAIL", header, *command, run.stderr.strip())
    return run.returncode == 0


def wraps_all(source):
    """lsqnet.hpp calls every function but the plain ones."""
    symbols = set((source / "tests/abi/symbols.txt").read_text(encoding="utf-8").split())
    code = "".join(re.sub(r"/\*.*?\*/", "", header.read_text(encoding="utf-8"), flags=re.DOTALL)
                   for header in (source / "include/lsqnet").glob("*.hpp"))
    named = set(re.findall(r"\blsqnet_\w+", code))
    left = symbols - named - PLAIN
    print("FAIL lsqnet.hpp leaves out" if left else "ok   lsqnet.hpp has all of", *(left or [len(symbols)]))
    return not left and PLAIN < symbols


def main():
    source = Path(sys.argv[1])
    folders = [source / "include", source / "tests"]  # mixer_conformance.h, which is installed, is also a test
    headers = sorted(path.name for path in (folders[0] / "lsqnet").glob("*.h"))
    commands, wrapper = [], []
    for compilers, flags in LANGUAGES:
        missing = [compiler for compiler in compilers if not shutil.which(compiler)]
        if missing:
            print("missing:", *missing, "(.ci/deps installs all)")
            return 1
        commands += [[compiler, *flags] for compiler in compilers]
        if "c++" in flags:
            wrapper += [[compiler, "-x", "c++", standard] for compiler in compilers for standard in WRAPPER_STANDARDS]
    results = [compiles(folders, "mixer_conformance.h", command) for command in commands]
    commands = [[*command, *NO_PADDING] for command in commands]
    if platform.machine() == "x86_64":
        commands.append(["gcc", *SMALL_TARGET, *NO_PADDING])
    results += [compiles(folders, header, command) for header in headers for command in commands]
    results += [compiles(folders, header.name, command) for header in (source / "include/lsqnet").glob("*.hpp")
                for command in wrapper]
    return 0 if installed_by_deps(source) and wraps_all(source) and headers and all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
