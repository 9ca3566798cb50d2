#!/usr/bin/env python3
"""The library as a program meets it: installed, found by pkg-config, linked and run; and its size.

    test_install.py MESON BUILD_FOLDER SOURCE_FOLDER tools|no-tools CC..."""
import sys
from pathlib import Path

from installed import Installed, only, run

LIBRARY_BYTES = 1_000_000  # stripped
COMPILE = ["-std=c11", "-Wall", "-Wextra", "-Werror"]


def check_library(it):
    if not it.library.is_symlink() or not it.library.with_suffix(".so.0").exists():
        raise SystemExit(f"{it.library} does not lead to liblsqnet.so.0")
    stripped = it.scratch / "stripped.so"
    run("strip", "--strip-unneeded", "-o", stripped, it.library.resolve())
    size = stripped.stat().st_size
    print(f"{size} bytes stripped")
    if size >= LIBRARY_BYTES:
        raise SystemExit(f"stripped library: {size} bytes, {LIBRARY_BYTES} allowed")


def check_example(it, source, compiler):
    program = it.scratch / source.stem
    it.run(*compiler, *COMPILE, source, "-o", program, *it.flags, "-lm")
    print(f"{source.name}:", it.run(program).strip())


def check_files(it, source, tools):
    for header in (source / "include/lsqnet").glob("*.h*"):
        only((it.prefix / "include/lsqnet").glob(header.name), header.name)
    for model in (source / "models").glob("*.safetensors"):
        only((it.prefix / "share/lsqnet/models").glob(model.name), model.name)
    only((it.prefix / "share").glob("man/man3/liblsqnet.3"), "liblsqnet.3")
    for name in ("bin/lsqnet", "share/man/man1/lsqnet.1", "share/bash-completion/completions/lsqnet") if tools else ():
        only(it.prefix.glob(name), name)


def main():
    meson, build, source, tools, *compiler = sys.argv[1:]
    source = Path(source)
    examples = [path for path in sorted((source / "examples").glob("*.c")) if path.stem != "tour"]  # test_language.py's
    with Installed(meson, build) as it:
        check_files(it, source, tools == "tools")
        check_library(it)
        for example in examples:
            check_example(it, example, compiler)
        for command in it.prefix.glob("bin/lsqnet"):
            print(it.run(command, "--version").strip())
    return 0 if examples else 1


if __name__ == "__main__":
    sys.exit(main())
