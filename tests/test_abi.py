#!/usr/bin/env python3
"""The binary interface of the library, read from its debug information, is the one stored in tests/abi/lsqnet.abi.

    test_abi.py LIBRARY SOURCE_FOLDER            compares
    test_abi.py LIBRARY SOURCE_FOLDER --store    stores it, the list of symbols, until the first release the headers

`ninja -C build store-abi` is the second. What may be stored when is in docs/abi.md."""
import re
import shutil
import subprocess
import sys
from pathlib import Path

INCOMPATIBLE = 8  # a bit of abidiff's exit code


def run(*command):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True)


def exported(library):
    """Names of the library's functions."""
    rows = [line.split() for line in run("nm", "-D", "--defined-only", library).stdout.splitlines()]
    return sorted(row[2].split("@")[0] for row in rows if len(row) == 3 and row[1] == "T")


def compare(library, folder):
    done = run("abidiff", "--exported-interfaces-only", "--suppressions", folder / "internal.suppressions",
               folder / "lsqnet.abi", library)
    if done.returncode == 0:
        functions = (folder / "lsqnet.abi").read_text(encoding="utf-8").count("<function-decl name='lsqnet_")
        print(f"{functions} functions as stored")
        return 0 if functions > 0 else 1
    print(done.stdout, done.stderr)
    if done.returncode & INCOMPATIBLE:
        print("Something that programs rely on is gone. Once released, that needs a new abi_version in meson.build.")
    else:
        print("If programs compiled before still run (docs/abi.md), store it in the same commit: ninja store-abi")
    return 1


def store(library, source, folder):
    done = run("abidw", "--exported-interfaces-only", "--suppressions", folder / "internal.suppressions",
               "--no-show-locs", "--no-corpus-path", "--no-comp-dir-path", "--no-elf-needed", "--no-parameter-names",
               "--type-id-style", "hash", "--out-file", folder / "lsqnet.abi", library)
    if done.returncode != 0:
        raise SystemExit(done.stdout + done.stderr)
    (folder / "symbols.txt").write_text("\n".join(exported(library)) + "\n", encoding="utf-8")
    if re.search(r"^## 0\.1\.0, not released yet$", (source / "NEWS.md").read_text(encoding="utf-8"), re.MULTILINE):
        shutil.rmtree(folder / "headers", ignore_errors=True)
        (folder / "headers/lsqnet").mkdir(parents=True)
        for header in (source / "include/lsqnet").glob("*.h"):
            shutil.copy(header, folder / "headers/lsqnet")
    return 0


def main():
    library, source = Path(sys.argv[1]), Path(sys.argv[2])
    folder = source / "tests/abi"
    for tool in ("abidiff", "abidw", "nm"):
        if shutil.which(tool) is None:
            raise SystemExit(f"{tool} is needed: .ci/deps test")
    return store(library, source, folder) if "--store" in sys.argv else compare(library, folder)


if __name__ == "__main__":
    sys.exit(main())
