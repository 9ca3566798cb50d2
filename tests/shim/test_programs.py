#!/usr/bin/env python3
"""Programs as they are, run on the shim: the LAPACK test driver for least squares, and Debian's SciPy. What the shim
exports, and whose dgemm_ a program gets that has liblsqnet in it.

    test_programs.py SHIM WITNESS LIBRARY_FOLDER INCLUDE_FOLDER CC...

Without SciPy it fails, unless LSQNET_TEST_WITHOUT_SCIPY is set."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SKIPPED = 77  # to Meson
SIZES = [0, 1, 2, 3, 5, 10, 50]
RIGHT_HAND_SIDES = [1, 2, 15]
SOLVES = len(SIZES) ** 2 * len(RIGHT_HAND_SIDES) * 2 * 3  # both values of TRANS, three scales of the matrix
EXPORTS = {"dgels_", "sgels_", "LAPACKE_dgels", "LAPACKE_sgels", "LAPACKE_dgels_work", "LAPACKE_sgels_work",
           "lsqnet_lapack_entered", "lsqnet_lapack_solved"}
DRIVER_INPUT = """least squares
{count}
{sizes}
{count}
{sizes}
3
1 2 15
1
20
1
3
30 50 90
30.0
T
T
T
{letter}LS    6
"""
SCIPY = """
import ctypes
import numpy
from scipy.linalg import lapack
solved = ctypes.CDLL(None).lsqnet_lapack_solved
solved.restype = ctypes.c_uint64
numpy.random.seed(1)
for gels, kind in ((lapack.dgels, numpy.float64), (lapack.sgels, numpy.float32)):
    for rows, columns in ((20, 5), (5, 20)):
        a, b = numpy.random.randn(rows, columns).astype(kind), numpy.random.randn(20, 2).astype(kind)
        factors, x, info = gels(a, b)
        expected, squares, rank, values = numpy.linalg.lstsq(a, b[:rows], rcond=None)
        tolerance = 1000 * numpy.finfo(kind).eps
        assert info == 0, info
        assert abs(x[:columns] - expected).max() <= tolerance, x
        assert abs((x[columns:] ** 2).sum(axis=0) - (squares if len(squares) else 0)).max() <= tolerance, x
assert solved() == 4, solved()
print("SciPy's dgels and sgels: 4 calls")
"""


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, **options)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def check_exports(shim):
    lines = run("readelf", "-W", "--dyn-syms", shim).stdout.splitlines()
    rows = [line.split() for line in lines if re.match(r"\s*\d+:", line)]
    names = {row[7] for row in rows if len(row) > 7 and row[6] != "UND"}
    if names != EXPORTS:
        raise SystemExit(f"{shim} exports {sorted(names ^ EXPORTS)} too much or too little")
    needed = re.findall(r"NEEDED.*\[(.*)\]", run("readelf", "-d", shim).stdout)
    if not needed or any(not re.match(r"lib(c|dl|pthread|m)\.so|ld-linux", name) for name in needed):
        raise SystemExit(f"{shim} needs {needed}: its names would stand before a program's own")


def preloaded(*libraries):
    return {**os.environ, "LD_PRELOAD": " ".join(map(str, libraries))}


def check_driver(letter, shim, witness):
    name = "xlintst" + letter.lower()
    paths = sorted(Path("/usr/lib").glob(f"*/lapack/{name}"))
    if not paths:
        print(f"no {name}: Debian's liblapack-test has it")
        sys.exit(SKIPPED)
    text = DRIVER_INPUT.format(letter=letter, count=len(SIZES), sizes=" ".join(map(str, SIZES)))
    done = run(paths[0], input=text, env=preloaded(shim, witness))
    for line in (f"{letter}LS routines passed the tests of the error exits",
                 f"All tests for {letter}LS drivers  passed the threshold"):
        if line not in done.stdout:
            raise SystemExit(f"{paths[0]} does not say \"{line}\":\n{done.stdout}")
    testimony = re.search(r"shim: entered (\d+), solved (\d+)", done.stderr)
    if not testimony or int(testimony.group(2)) != SOLVES or int(testimony.group(1)) <= SOLVES:
        raise SystemExit(f"{paths[0]}: {SOLVES} solves expected, {done.stderr}")
    print(f"{paths[0]}: {testimony.group()}")


def check_scipy(shim):
    python = shutil.which("python3", path="/usr/bin")
    if not python or subprocess.run([python, "-c", "import scipy.linalg"], capture_output=True, check=False).returncode:
        if "LSQNET_TEST_WITHOUT_SCIPY" not in os.environ:
            raise SystemExit("no SciPy for /usr/bin/python3: Debian's python3-scipy has it (.ci/deps test), and with"
                             " LSQNET_TEST_WITHOUT_SCIPY set the test goes without")
        print("SciPy is not installed: not tried, as LSQNET_TEST_WITHOUT_SCIPY has it")
        return
    print(run(python, "-c", SCIPY, env=preloaded(shim)).stdout.strip())


def check_dgemm(shim, library, include, compiler, scratch):
    source = Path(__file__).with_name("blas_names.c")
    compile_ = [*compiler, "-std=c11", source, "-I", include]
    lsqnet = ["-L", library, "-llsqnet", f"-Wl,-rpath,{library}"]
    plugin = scratch / "plugin.so"
    run(*compile_, "-DPLUGIN", "-shared", "-fPIC", "-o", plugin, "-llapack", "-lblas", "-ldl")
    for what, options, libraries, arguments, environment in (
            ("liblsqnet, then libblas", ["-DWITH_LSQNET"], [*lsqnet, "-lblas"], [], None),
            ("libblas, then liblsqnet", ["-DWITH_LSQNET"], ["-lblas", *lsqnet], [], None),
            ("a program on the shim", [], ["-llapack", "-lblas"], [], preloaded(shim)),
            ("a plugin of a program on the shim", ["-DHOST"], [], [plugin], preloaded(shim))):
        program = scratch / "program"
        run(*compile_, *options, "-o", program, *libraries, "-ldl")
        print(f"{what}: {run(program, *arguments, env=environment).stdout.strip()}")


def main():
    shim, witness, library, include, *compiler = sys.argv[1:]
    check_exports(shim)
    with tempfile.TemporaryDirectory() as scratch:
        check_dgemm(shim, library, include, compiler, Path(scratch))
    check_scipy(shim)
    check_driver("D", shim, witness)
    check_driver("S", shim, witness)


if __name__ == "__main__":
    main()
