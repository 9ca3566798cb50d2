#!/usr/bin/env python3
"""Exported models: each compiles without a warning and gives the library's bits, on this machine and on 32-bit ARM;
those that need nothing but + and * link with nothing at all.

    test_export.py LSQNET EXPORT_CASES MODELS_FOLDER TESTS_FOLDER CC..."""
import json
import os
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
# what a microcontroller's compiler may not bring: no call may be left
LOOSE = [["-O0"], ["-Os"], ["-O3"]]  # in turn


def run(*command, cwd=None):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, cwd=cwd)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


class Case:
    def __init__(self, lsqnet, name, scratch, main):
        self.name, self.scratch, self.main = name, scratch, main
        self.about = json.loads(run(lsqnet, "export", f"{name}.safetensors", "-o", f"{name}.c", "--json", cwd=scratch))
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

    def check_all(self, compiler, flags):
        self.check(compiler, [])
        self.check([ARM_COMPILER], [ARM_RUNNER])
        self.check_calls(compiler, flags)

    def check_calls(self, compiler, flags):
        """What the file alone leaves to the linker: nothing, or the functions of libm that its first lines name."""
        text = (self.scratch / f"{self.name}.c").read_text(encoding="utf-8")
        named = re.search(r"calls only (.*?)\.\n", text)
        allowed = set(re.findall(r"\w+", named.group(1).replace(" and ", " "))) if named else set()
        if self.about["dtype"] == "float32":
            allowed = {name + "f" for name in allowed}
        alone = f"{self.name}.o"
        run(*compiler, *STRICT, *flags, "-ffreestanding", "-c", f"{self.name}.c", "-o", alone, cwd=self.scratch)
        undefined = set(run("nm", "-u", alone, cwd=self.scratch).split()) - {"U"}
        if not undefined <= allowed | {"_GLOBAL_OFFSET_TABLE_"}:
            raise SystemExit(f"{self.name}: {' '.join(flags)} calls {undefined - allowed}, not only {allowed}")


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


def check_conversion(lsqnet, scratch):
    """A float64 model in float32 is what the library's conversion gives."""
    run(lsqnet, "export", "linear.safetensors", "-o", "narrow.c", "--dtype", "f32", "--name", "tiny", cwd=scratch)
    text = (scratch / "narrow.c").read_text(encoding="utf-8")
    if "typedef float real;" not in text or "void tiny_forward(int rows" not in text:
        raise SystemExit("--dtype f32 --name tiny: not in narrow.c")


def main():
    lsqnet, cases = (Path(word).resolve() for word in sys.argv[1:3])
    models, tests, *compiler = sys.argv[3:]
    if not shutil.which(ARM_COMPILER) or not shutil.which(ARM_RUNNER):
        raise SystemExit(f"{ARM_COMPILER} and {ARM_RUNNER} are needed: .ci/deps test")
    scratch = Path(tempfile.mkdtemp())
    try:
        names = run(cases, models, scratch).split()
        cases = [Case(lsqnet, name, scratch, Path(tests, "export_main.c")) for name in names]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(lambda i: cases[i].check_all(compiler, LOOSE[i % len(LOOSE)]), range(len(cases))))
        alone = sum(not case.about["libm"] for case in cases)
        check_declarations(cases[0], compiler)
        check_refusals(lsqnet, scratch)
        check_conversion(lsqnet, scratch)
    finally:
        shutil.rmtree(scratch)
    print(f"{len(names)} models, {alone} of them linked with nothing")
    return 0 if alone > 20 and len(names) > alone else 1


if __name__ == "__main__":
    sys.exit(main())
