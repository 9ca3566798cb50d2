#!/usr/bin/env python3
"""Exported models, all that are shipped among them: each compiles without a warning and gives the library's bits, on
this machine and on 32-bit ARM; those that need nothing but + and * link with nothing; all of them go into one file.

    test_export.py LSQNET EXPORT_CASES MODELS_FOLDER TESTS_FOLDER CC..."""
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

STRICT = ["-std=c99", "-O2", "-ffp-contract=off", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion",
          "-Wstrict-prototypes", "-Werror"]
NOTHING = ["-ffreestanding", "-nostdlib", "-static", "-DFREESTANDING"]
ARM_COMPILER, ARM_RUNNER = "arm-linux-gnueabihf-gcc", "qemu-arm"
AGAIN = "LSQNET_TEST_AGAIN" in os.environ  # after another compiler: the ARM one has seen the same files
# what a microcontroller's compiler may not bring: no call may be left
LOOSE = [["-O0"], ["-Os"], ["-O3"]]
LARGE = 5000  # weights of a model that sees one of them, not all


def run(*command, cwd=None):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, cwd=cwd)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


class Case:
    def __init__(self, lsqnet, line, scratch, main):
        self.name, dtype = line.split()
        self.scratch, self.main = scratch, main
        convert = [] if dtype == "-" else ["--dtype", dtype]
        self.about = json.loads(run(lsqnet, "export", f"{self.name}.safetensors", "-o", f"{self.name}.c", "--json",
                                    *convert, cwd=scratch))
        self.symbol = self.about["name"]

    def build(self, compiler, flags, libraries):
        program = self.scratch / f"{self.name}.run"
        defines = [f"-DMODEL={self.name}.c", f"-DCASE={self.name}.case", f"-DWORK={self.symbol.upper()}_WORK",
                   f"-DFORWARD={self.symbol}_forward", f"-DITERATE={self.symbol}_iterate"]
        run(*compiler, *STRICT, *flags, *defines, f"-I{self.scratch}", self.main, "-o", program, *libraries)
        return program

    def check(self, compiler, runner):
        """Links with nothing if the file says that it can."""
        flags, libraries = ([], ["-static", "-lm"]) if self.about["libm"] else (NOTHING, [])
        run(*runner, self.build(compiler, flags, libraries))

    def check_all(self, compiler, number):
        self.check(compiler, [])
        if not AGAIN:
            self.check([ARM_COMPILER], [ARM_RUNNER])
        for flags in LOOSE if self.about["weights"] < LARGE else [LOOSE[number % len(LOOSE)]]:
            self.check_calls(compiler, flags)

    def check_calls(self, compiler, flags):
        """What the file alone leaves to the linker: nothing, or the functions of libm that its first lines name."""
        text = (self.scratch / f"{self.name}.c").read_text(encoding="utf-8")
        named = re.search(r"calls only (.*?)\. All names", text)
        allowed = set(re.findall(r"\w+", named.group(1).replace(" and ", " "))) if named else set()
        if self.about["dtype"] == "float32":
            allowed = {name + "f" for name in allowed}
        alone = f"{self.name}.o"
        run(*compiler, *STRICT, *flags, "-ffreestanding", "-c", f"{self.name}.c", "-o", alone, cwd=self.scratch)
        undefined = set(run("nm", "-u", alone, cwd=self.scratch).split()) - {"U"}
        if not undefined <= allowed | {"_GLOBAL_OFFSET_TABLE_"}:
            raise SystemExit(f"{self.name}: {' '.join(flags)} calls {undefined - allowed}, not only {allowed}")


def check_condition(cases):
    """Files say what their bits need, and it is needed: x87 arithmetic, where FLT_EVAL_METHOD is 2, has others."""
    for case in cases:
        about = (case.scratch / f"{case.name}.c").read_text(encoding="utf-8").split("*/")[0]
        if "With -ffp-contract=off and where FLT_EVAL_METHOD == 0" not in about:
            raise SystemExit(f"{case.name}: {about}")
    if platform.machine() == "x86_64":
        small = [case for case in cases if case.about["weights"] < LARGE]
        programs = [case.build(["gcc"], ["-mfpmath=387"], ["-lm"]) for case in small[:4]]
        if all(subprocess.run([program], capture_output=True).returncode == 0 for program in programs):
            raise SystemExit("x87 arithmetic has the same bits")


def check_declarations(case, compiler):
    """The declarations alone, in C and C++."""
    for language in (["-x", "c", "-std=c99"], ["-x", "c++", "-std=c++11"]):
        source = f'#define {case.symbol.upper()}_DECLARATIONS\n#include "{case.name}.c"\n'
        done = subprocess.run([*compiler, *language, "-Wall", "-Wpedantic", "-Werror", "-fsyntax-only",
                               f"-I{case.scratch}", "-"], input=source, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(done.stderr)


def check_refusals(lsqnet, scratch):
    for arguments, code, words in [
            (["absent.safetensors", "-o", "x.c"], 3, "absent.safetensors"),
            (["softmax.safetensors"], 2, "-o is missing"),
            (["softmax.safetensors", "-o", "x.c", "--name", "2x"], 2, "not a name in C"),
            (["softmax.safetensors", "-o", "no/such/folder/x.c"], 1, "no/such/folder/x.c"),
            (["softmax.safetensors", "-o", "x.c", "--dtype", "f16"], 2, "f32|f64")]:
        done = subprocess.run([lsqnet, "export", *arguments], capture_output=True, text=True, cwd=scratch)
        if done.returncode != code or words not in done.stderr or done.stderr.count("\n") != 1:
            raise SystemExit(f"export {arguments}: exit {done.returncode}, {done.stderr}")


def check_together(cases, compiler, scratch):
    """All models in one file, where a name that two of them have would be an error."""
    together = scratch / "together.c"
    together.write_text("".join(f'#include "{case.name}.c"\n' for case in cases), encoding="utf-8")
    run(*compiler, *STRICT, "-fsyntax-only", together)


def check_name(lsqnet, compiler, scratch):
    """--name is what everything at file scope begins with, in capitals too."""
    run(lsqnet, "export", "wide.safetensors", "-o", "named.c", "--name", "GD", cwd=scratch)
    run(*compiler, *STRICT, "-c", "named.c", cwd=scratch)
    names = {line.split()[-1] for line in run("nm", "named.o", cwd=scratch).splitlines()}
    if "GD_forward" not in names or not all(name.startswith(("GD_", ".L")) for name in names):
        raise SystemExit(f"--name GD: {names}")


def main():
    lsqnet, cases = (Path(word).resolve() for word in sys.argv[1:3])
    models, tests, *compiler = sys.argv[3:]
    if not shutil.which(ARM_COMPILER) or not shutil.which(ARM_RUNNER):
        raise SystemExit(f"{ARM_COMPILER} and {ARM_RUNNER} are needed: .ci/deps test")
    scratch = Path(tempfile.mkdtemp())
    try:
        shipped = sorted(Path(models).glob("*.safetensors"))
        lines = run(cases, scratch, *shipped).splitlines()
        cases = [Case(lsqnet, line, scratch, Path(tests, "export_main.c")) for line in lines]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(lambda i: cases[i].check_all(compiler, i), range(len(cases))))
        alone = sum(not case.about["libm"] for case in cases)
        check_condition(cases)
        check_declarations(cases[0], compiler)
        check_refusals(lsqnet, scratch)
        check_together(cases, compiler, scratch)
        check_name(lsqnet, compiler, scratch)
    finally:
        shutil.rmtree(scratch)
    print(f"{len(cases)} models, {len(shipped)} of them shipped; {alone} linked with nothing")
    return 0 if shipped and alone > len(shipped) + 20 and len(cases) > alone else 1


if __name__ == "__main__":
    sys.exit(main())
