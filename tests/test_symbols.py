#!/usr/bin/env python3
"""What the shared library shows the linker, and what it asks of the system.

    test_symbols.py LIBRARY SYMBOLS_FILE INCLUDE_FOLDER [--sanitized] [--lapack]

SYMBOLS_FILE (tests/abi/symbols.txt) is written by `ninja store-abi`, in the commit that adds a function: symbols never
leave it once they have been released."""
import re
import subprocess
import sys
from pathlib import Path

VERSION = "LSQNET_0"
# the library never prints, ends the process, reads its environment or changes its state; but there is __assert_fail in
# builds with assertions (not release ones), and fesetenv, by which workers of the pool take on their caller's rounding
FORBIDDEN = set("""printf fprintf vprintf vfprintf puts fputs putc fputc putchar perror stdout stderr
  __printf_chk __fprintf_chk __vprintf_chk __vfprintf_chk exit _exit _Exit quick_exit abort raise kill atexit
  getenv secure_getenv setenv putenv unsetenv setlocale signal sigaction fesetround feupdateenv
  rand srand random srandom drand48 system popen fork execv execve errx err warn warnx syslog""".split())
# what it may be linked to: BLIS, jansson, libm, and what comes with the C library and the compiler
NEEDED = re.compile(r"lib(blis|jansson|m|c|pthread|gcc_s|atomic)\.so\.\d+|ld-linux.*")
WRITABLE = {".data", ".bss"}
# the compiler's own: start files, and what libgcc knows of the processor, written before main
COMPILERS = re.compile(r"(completed\.\d+|__dso_handle|__TMC_END__|__bss_start|_edata|_end|__cpu_model|__cpu_features2)")


def readelf(*arguments):
    return subprocess.run(["readelf", "-W", *arguments], check=True, capture_output=True, text=True).stdout


def symbols(library, *which):
    """Rows of readelf's symbol tables: kind, binding, section, name."""
    for line in readelf(*which, library).splitlines():
        words = line.split()
        if len(words) >= 8 and words[0].endswith(":") and words[0][:-1].isdigit():
            yield words[3], words[4], words[6], words[7]


def check_exports(library, stored, declared):
    exported = {name for _, binding, section, name in symbols(library, "--dyn-syms")
                if section != "UND" and binding in ("GLOBAL", "WEAK") and section != "ABS"}
    for name in sorted(exported):
        if not name.startswith("lsqnet_") or not name.endswith("@@" + VERSION):
            yield f"{name}: exported, and not an lsqnet_ name of version {VERSION}"
    names = {name.split("@")[0] for name in exported}
    yield from (f"{name}: in tests/abi/symbols.txt but not exported" for name in sorted(stored - names))
    yield from (f"{name}: exported but not in tests/abi/symbols.txt" for name in sorted(names - stored))
    yield from (f"{name}: exported but in no public header" for name in sorted(names - declared))
    yield from (f"{name}: in a public header but not exported" for name in sorted(declared - names))


def check_undefined(library):
    for _, _, section, name in symbols(library, "--dyn-syms"):
        if section == "UND" and name.split("@")[0] in FORBIDDEN:
            yield f"{name}: the library must not use it"


def check_needed(library, lapack):
    for name in re.findall(r"NEEDED.*\[(.*?)\]", readelf("-d", library)):
        if not NEEDED.fullmatch(name) and not (lapack and name.startswith("liblapacke.so.")):
            yield f"{name}: linked to it"


def check_segments(library):
    dynamic, segments = readelf("-d", library), readelf("-l", library)
    if "TEXTREL" in dynamic:
        yield "text relocations"
    if not re.search(r"SONAME.*\[liblsqnet\.so\.\d+\]", dynamic):
        yield "no SONAME liblsqnet.so.N"
    stack = re.search(r"GNU_STACK.*", segments)
    if not stack or re.search(r"\bRWE\b", stack.group()):
        yield "executable stack"


def check_state(library):
    """No variable that a second thread could find half written: only constants and thread-locals."""
    headings = re.findall(r"^\s*\[\s*(\d+)\]\s+(\S+)", readelf("-S", library), re.MULTILINE)
    writable = {number for number, name in headings if name in WRITABLE}
    for kind, _, section, name in symbols(library, "-s"):
        if kind == "OBJECT" and section in writable and not COMPILERS.fullmatch(name):
            yield f"{name}: global state that can be written"


def main():
    library, stored_path, include = sys.argv[1:4]
    stored = set(Path(stored_path).read_text(encoding="utf-8").split())
    declared = set()
    for header in Path(include, "lsqnet").glob("*.h"):
        text = re.sub(r"/\*.*?\*/", "", header.read_text(encoding="utf-8"), flags=re.DOTALL)
        declared.update(re.findall(r"LSQNET_API\s[^;(]*?\b(lsqnet_\w+)\s*\(", text))
    faults = [*check_exports(library, stored, declared), *check_segments(library)]
    if "--sanitized" not in sys.argv:  # sanitizers bring calls and variables of their own
        faults += [*check_undefined(library), *check_state(library), *check_needed(library, "--lapack" in sys.argv)]
    print(*faults, f"{len(stored)} symbols, {len(faults)} faults", sep="\n")
    return 1 if faults or not stored else 0


if __name__ == "__main__":
    sys.exit(main())
