#!/usr/bin/env python3
"""Every command and listing of a document, run in their order against the installed library.

    test_guide.py MESON BUILD_FOLDER SOURCE_FOLDER DOCUMENT [HEADING]

or of the part of it under a heading.

Blocks are told apart by what stands behind their fence: `sh` is run by a shell, which keeps its folder and variables
from block to block; `LANGUAGE FILE` is written to FILE; `text` is what the commands before it must print, numbers up to
their last digits; others are left alone. Commands find what they would in a clone of the repository. `meson setup` is run as
it stands; `meson install` installs what has been built here, into a scratch folder. A document that installs finds
nothing installed before it has."""
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from installed import Installed

BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"[-+]?\d+(\.\d+)?(e[-+]?\d+)?")
MESON = """#!/bin/sh
case "$*" in
  "setup build"*) exec '{meson}' "$@" >/dev/null ;;
  "install -C build")
    test -f build/build.ninja || exit 1
    exec '{python}' '{installed}' '{meson}' '{build}' '{root}' ;;
  *) echo "not what this stands in for: meson $*" >&2; exit 1 ;;
esac
"""


def make_clone(source, scratch):
    """A folder that looks like a clone: links, and copies of what documents write beside."""
    clone = scratch / "clone"
    clone.mkdir()
    for entry in source.iterdir():
        if entry.name == "examples":
            shutil.copytree(entry, clone / entry.name)
        elif not entry.name.startswith("build") and entry.name != ".git":
            os.symlink(entry, clone / entry.name)
    return clone


def write_script(text, folder):
    """One shell script of all blocks; (script, expected output by the number of the block before it)."""
    lines, expected, last = ["set -e"], {}, 0
    for number, (info, body) in enumerate(BLOCK.findall(text)):
        words = info.split()
        if words[:1] == ["sh"]:
            lines += [f"echo '== {number}'", body.rstrip("\n")]
            last = number
        elif words[:1] == ["text"]:
            expected[last] = body
        elif len(words) == 2:
            (folder / f"block{number}").write_text(body, encoding="utf-8")
            lines.append(f"cp '{folder}/block{number}' {words[1]}")
    return "\n".join(lines) + "\n", expected


def part(text, heading):
    """What stands under a heading of the second level."""
    if not heading:
        return text
    return re.search(rf"^## {heading[0]}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL).group(1)


def same(wanted, got):
    """Lines that differ at most in last digits."""
    if NUMBER.sub("#", wanted) != NUMBER.sub("#", got):
        return False
    pairs = zip(NUMBER.finditer(wanted), NUMBER.finditer(got))
    return all(abs(float(a.group()) - float(b.group())) <= 1e-9 * abs(float(a.group())) + 1e-300 for a, b in pairs)


def check_output(output, expected):
    printed = dict(re.findall(r"^== (\d+)\n(.*?)(?=^== \d+$|\Z)", output, re.MULTILINE | re.DOTALL))
    for number, text in expected.items():
        got = [line.rstrip() for line in printed[str(number)].splitlines()]
        for line in filter(None, (line.rstrip() for line in text.splitlines())):
            if not any(same(line, candidate) for candidate in got):
                raise SystemExit(f"not printed: {line}\nbut\n" + "\n".join(got))


def main():
    meson, build, source, document, *heading = sys.argv[1:]
    source = Path(source)
    with Installed(meson, build) as it:
        clone = make_clone(source, it.scratch)
        tools = it.scratch / "tools"
        tools.mkdir()
        (tools / "meson").write_text(MESON.format(meson=meson, python=sys.executable, build=Path(build).resolve(),
                                                  installed=Path(__file__).with_name("installed.py"), root=it.root),
                                     encoding="utf-8")
        (tools / "meson").chmod(0o755)
        os.symlink(sys.executable, tools / "python3")  # the one that NumPy was installed for
        text = part((source / document).read_text(encoding="utf-8"), heading)
        script, expected = write_script(text, tools)
        if "meson install" in script:
            shutil.rmtree(it.root)
        folder = clone / "examples" if document.startswith("examples/") else clone
        environment = {**it.environment, "PATH": f"{tools}{os.pathsep}{it.environment['PATH']}"}
        done = subprocess.run(["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True)
        print(done.stdout)
        if done.returncode != 0:
            raise SystemExit(f"exit {done.returncode}\n{done.stderr}")
        check_output(done.stdout, expected)
    return 0


if __name__ == "__main__":
    sys.exit(main())
