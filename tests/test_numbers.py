#!/usr/bin/env python3
"""Every number that the first release's headers name has the same value today.

    test_numbers.py OLD_HEADERS HEADERS COMPILER...

(abidiff does not see them: their enumerations have no names.)"""
import re
import subprocess
import sys
from pathlib import Path

NUMBER = re.compile(r"\b(LSQNET_[A-Z0-9_]+)\s*=\s*(-?\d+)")


def main():
    old, new, *compiler = sys.argv[1:]
    numbers = {}
    for header in sorted(Path(old).glob("lsqnet/*.h")):
        numbers.update(NUMBER.findall(header.read_text(encoding="utf-8")))
    if len(numbers) < 50:
        sys.exit(f"only {len(numbers)} numbers in {old}")
    claims = [f'_Static_assert({name} == {value}, "{name}");' for name, value in numbers.items()]
    source = "\n".join(["#include <lsqnet/lsqnet.h>", *claims, ""])
    done = subprocess.run([*compiler, "-std=c11", "-fsyntax-only", "-I", new, "-x", "c", "-"], input=source, text=True,
                          capture_output=True, check=False)
    print(f"{len(numbers)} numbers", done.stderr)
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
