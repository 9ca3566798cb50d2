#!/usr/bin/env python3
"""The library as a program meets it: installed, found by pkg-config, linked and run; and its size.

    test_install.py MESON BUILD_FOLDER SOURCE_FOLDER CC..."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

LIBRARY_BYTES = 1_000_000  # stripped
COMPILE = ["-std=c11", "-Wall", "-Wextra", "-Werror"]


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def only(paths, what):
    paths = list(paths)
    if len(paths) != 1:
        raise SystemExit(f"installed {len(paths)} {what}, not 1: {paths}")
    return paths[0]


def check_library(library, scratch):
    if not library.is_symlink() or not library.with_suffix(".so.0").exists():
        raise SystemExit(f"{library} does not lead to liblsqnet.so.0")
    stripped = scratch / "stripped.so"
    run("strip", "--strip-unneeded", "-o", stripped, library.resolve())
    size = stripped.stat().st_size
    print(f"{size} bytes stripped")
    if size >= LIBRARY_BYTES:
        raise SystemExit(f"stripped library: {size} bytes, {LIBRARY_BYTES} allowed")


def check_example(source, scratch, compiler, flags, environment):
    program = scratch / source.stem
    run(*compiler, *COMPILE, source, "-o", program, *flags, "-lm")
    print(f"{source.name}:", run(program, cwd=scratch, env=environment).strip())


def check_install(meson, build, source, compiler, scratch):
    root = scratch / "root"
    run(meson, "install", "-C", build, "--no-rebuild", "--destdir", root)
    config = only(root.rglob("lsqnet.pc"), "lsqnet.pc")
    library = only(root.rglob("liblsqnet.so"), "liblsqnet.so")
    prefix = root / re.search(r"^prefix=/(.*)$", config.read_text(), re.MULTILINE).group(1)
    for header in (source / "include/lsqnet").glob("*.h*"):
        only((prefix / "include/lsqnet").glob(header.name), header.name)
    for model in (source / "models").glob("*.safetensors"):
        only((prefix / "share/lsqnet/models").glob(model.name), model.name)
    check_library(library, scratch)
    environment = {**os.environ, "PKG_CONFIG_PATH": str(config.parent), "LD_LIBRARY_PATH": str(library.parent)}
    flags = run("pkg-config", f"--define-variable=prefix={prefix}", "--cflags", "--libs", "lsqnet",
                env=environment).split()
    examples = sorted((source / "examples").glob("*.c"))
    for example in examples:
        check_example(example, scratch, compiler, flags, environment)
    for command in prefix.glob("bin/lsqnet"):
        print(run(command, "--version", env=environment).strip())
    return 0 if examples else 1


def main():
    meson, build, source, *compiler = sys.argv[1:]
    scratch = Path(tempfile.mkdtemp())
    try:
        return check_install(meson, Path(build), Path(source), compiler, scratch)
    finally:
        shutil.rmtree(scratch)


if __name__ == "__main__":
    sys.exit(main())
