#!/usr/bin/env python3
"""The library in the projects of others: CMake's find_package(lsqnet CONFIG) on the installed library, in C and C++,
shared and, where it has been built, static, which pkg-config --static finds too; Meson's subprojects, on the source.

    test_consumers.py cmake MESON BUILD_FOLDER SOURCE_FOLDER CC...
    test_consumers.py subproject MESON SOURCE_FOLDER CC...         builds the library: takes minutes"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from installed import Installed, run


def tour(source, models):
    """What a tour takes."""
    return [models / "la-gd1-d8.safetensors", source / "examples/data/nist/Longley.csv"]


def needed(program):
    """Shared libraries that a program names."""
    return set(re.findall(r"NEEDED.*\[(.*?)\]", run("readelf", "-d", program)))


def check_program(it, source, program, models):
    text = it.run(program, *tour(source, models))
    if "x[0] = " not in text:
        raise SystemExit(f"{program}:\n{text}")
    static = "liblsqnet.so.0" not in needed(program)
    if static != ("static" in program.name):
        raise SystemExit(f"{program} needs {needed(program)}")
    print(program.name, "needs", *sorted(needed(program)))


def refused(it, project, version):
    command = ["cmake", "-S", project, "-B", it.scratch / f"refused-{version}", f"-DCMAKE_PREFIX_PATH={it.prefix}",
               f"-DVERSION={version}", "-DEXAMPLES=/nowhere"]
    done = subprocess.run(command, capture_output=True, text=True, env=it.environment)
    if done.returncode == 0 or "lsqnetConfig.cmake" not in done.stderr:
        raise SystemExit(f"version {version} was found, or for no reason was not:\n{done.stdout}{done.stderr}")


def check_cmake(it, source, compiler):
    project, build = source / "tests/consumers/cmake", it.scratch / "cmake"
    configured = it.run("cmake", "-S", project, "-B", build, f"-DCMAKE_PREFIX_PATH={it.prefix}", "-DVERSION=0.1",
                        f"-DEXAMPLES={source / 'examples'}", f"-DCMAKE_C_COMPILER={compiler[-1]}")
    models = Path(re.search(r"^-- models: (.*)$", configured, re.MULTILINE).group(1))
    if models.resolve() != (it.prefix / "share/lsqnet/models").resolve():
        raise SystemExit(f"lsqnet_MODELS_DIR is {models}")
    it.run("cmake", "--build", build)
    programs = [build / f"{language}_{kind}" for language in ("c", "cpp") for kind in ("lsqnet", "static")]
    programs = [program for program in programs if program.exists()]
    archive = it.library.with_suffix(".a").exists()
    if len(programs) != (4 if archive else 2):
        raise SystemExit(f"built: {programs}")
    for program in programs:
        check_program(it, source, program, models)
    for version in ("0.0.9", "0.2", "1.0"):
        refused(it, project, version)
    if archive:
        check_static(it, source, compiler, models)


def check_static(it, source, compiler, models):
    """With the archive alone, as pkg-config --static has it."""
    alone = it.scratch / "static"
    alone.mkdir()
    shutil.copy(it.library.with_suffix(".a"), alone)
    flags = it.run("pkg-config", "--static", "--cflags", "--libs", "lsqnet").split()
    program = it.scratch / "static_by_pkg_config"
    it.run(*compiler, source / "examples/tour.c", f"-L{alone}", *flags, "-Wl,--trace", "-o", program,
           env={**it.environment, "LIBRARY_PATH": str(alone)})
    check_program(it, source, program, models)


def check_subproject(meson, source, compiler):
    scratch = Path(tempfile.mkdtemp())
    try:
        shutil.copy(source / "tests/consumers/meson/meson.build", scratch)
        shutil.copy(source / "examples/tour.c", scratch)
        (scratch / "subprojects").mkdir()
        shutil.copytree(source, scratch / "subprojects/liblsqnet", symlinks=True,
                        ignore=shutil.ignore_patterns("build*", ".git", "*.checkpoint"))
        run(meson, "setup", scratch / "build", scratch, "--force-fallback-for=lsqnet", "-Dliblsqnet:tools=false",
            "-Dliblsqnet:shim=false", "-Dliblsqnet:default_library=static", "-Doptimization=0",
            env={**os.environ, "CC": " ".join(compiler)})
        run("ninja", "-C", scratch / "build", "tour")
        print(run(scratch / "build/tour", *tour(source, source / "models")))
        if "liblsqnet.so.0" in needed(scratch / "build/tour"):
            raise SystemExit("the subproject was to be static")
    finally:
        shutil.rmtree(scratch)


def main():
    what, meson, *rest = sys.argv[1:]
    if what == "subproject":
        check_subproject(meson, Path(rest[0]).resolve(), rest[1:])
    else:
        build, source, *compiler = rest
        with Installed(meson, build) as it:
            check_cmake(it, Path(source), compiler)
    return 0


if __name__ == "__main__":
    sys.exit(main())
