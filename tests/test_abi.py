#!/usr/bin/env python3
"""The binary interface of the library, read from its debug information, is the one stored in tests/abi/lsqnet.abi, and
nothing of the first release's, in tests/abi/first_release.abi, is gone.

    test_abi.py LIBRARY SOURCE_FOLDER                      compares
    test_abi.py LIBRARY SOURCE_FOLDER --store              stores it, and the list of symbols
    test_abi.py LIBRARY SOURCE_FOLDER --release VERSION    stores the first release: that, and the headers
    test_abi.py - SOURCE_FOLDER --headers VERSION          compares the first release's headers with those stored

`ninja -C build store-abi` and `store-first-release` are the second and the third. What may be stored when is in
docs/abi.md."""
import shutil
import subprocess
import sys
from pathlib import Path

FIRST_RELEASE = "0.1.0"
FAILED, INCOMPATIBLE = 3, 8  # bits of abidiff's exit code


def run(*command):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True)


def exported(library):
    """Names of the library's functions."""
    rows = [line.split() for line in run("nm", "-D", "--defined-only", library).stdout.splitlines()]
    return sorted(row[2].split("@")[0] for row in rows if len(row) == 3 and row[1] == "T")


def compare(library, folder):
    done = run("abidiff", "--exported-interfaces-only", "--suppressions", folder / "internal.suppressions",
               folder / "first_release.abi", library)
    if done.returncode & (INCOMPATIBLE | FAILED):
        print(done.stdout, done.stderr)
        print("Something that programs of the first release rely on is gone: that needs a new abi_version.")
        return 1
    done = run("abidiff", "--exported-interfaces-only", "--suppressions", folder / "internal.suppressions",
               folder / "lsqnet.abi", library)
    if done.returncode == 0:
        functions = (folder / "lsqnet.abi").read_text(encoding="utf-8").count("<function-decl name='lsqnet_")
        print(f"{functions} functions as stored")
        return 0 if functions > 0 else 1
    print(done.stdout, done.stderr)
    print("If programs compiled before still run (docs/abi.md), store it in the same commit: ninja store-abi")
    return 1


def store(library, folder, name):
    done = run("abidw", "--exported-interfaces-only", "--suppressions", folder / "internal.suppressions",
               "--no-show-locs", "--no-corpus-path", "--no-comp-dir-path", "--no-elf-needed", "--no-parameter-names",
               "--type-id-style", "hash", "--out-file", folder / name, library)
    if done.returncode != 0:
        raise SystemExit(done.stdout + done.stderr)


def headers(source):
    """What is installed."""
    return [*sorted((source / "include/lsqnet").glob("*.h*")), source / "tests/lsqnet/mixer_conformance.h"]


def store_headers(source, folder):
    shutil.rmtree(folder / "headers", ignore_errors=True)
    (folder / "headers/lsqnet").mkdir(parents=True)
    for header in headers(source):
        shutil.copy(header, folder / "headers/lsqnet")


def compare_headers(source, folder):
    """Those stored are today's, byte for byte."""
    stored = {path.name: path.read_bytes() for path in (folder / "headers/lsqnet").iterdir()}
    today = {path.name: path.read_bytes() for path in headers(source)}
    differ = sorted(name for name in stored.keys() | today.keys() if stored.get(name) != today.get(name))
    print(f"{len(today)} headers, not as stored: {differ}", "(ninja store-first-release)" if differ else "")
    return 1 if differ or not today else 0


def main():
    library, source, what, *version = [sys.argv[1], Path(sys.argv[2]), *sys.argv[3:], None][:4]
    folder = source / "tests/abi"
    if what == "--headers":
        return compare_headers(source, folder)
    for tool in ("abidiff", "abidw", "nm"):
        if shutil.which(tool) is None:
            raise SystemExit(f"{tool} is needed: .ci/deps test")
    if what is None:
        return compare(library, folder)
    if what == "--release":
        if version[0] != FIRST_RELEASE:
            raise SystemExit(f"this is {version[0]}: what {FIRST_RELEASE} was does not change any more")
        store_headers(source, folder)
        store(library, folder, "first_release.abi")
    store(library, folder, "lsqnet.abi")
    (folder / "symbols.txt").write_text("\n".join(exported(library)) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
