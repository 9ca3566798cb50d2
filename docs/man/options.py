#!/usr/bin/env python3
"""The options in lsqnet.1, as `lsqnet help COMMAND` prints them.

    options.py LSQNET PAGE            writes them into the page
    options.py LSQNET PAGE --check    fails if they are not what is there"""
import re
import subprocess
import sys
from pathlib import Path


def escape(text):
    return text.replace("\\", "\\e").replace("-", "\\-")


def items(lsqnet, command):
    """One item of a list for each option."""
    text = subprocess.run([lsqnet, "help", command], check=True, capture_output=True, text=True).stdout
    for name, value, about in re.findall(r"^  (-\S+) (\S*) +(\S.*)$", text.split("Options:")[1], re.MULTILINE):
        value = f" Ar {escape(value)}" if value else ""
        yield f".It Fl {escape(name[1:])}{value}\n{escape(about)}"


def fill(lsqnet, page):
    def section(match):
        listed = "\n".join(items(lsqnet, match.group(1)))
        return f'.\\" options of {match.group(1)}\n.Bl -tag -width Ds -compact\n{listed}\n.El\n.\\" end of options'
    return re.sub(r'^\.\\" options of (\w+)\n.*?^\.\\" end of options$', section, page, flags=re.MULTILINE | re.DOTALL)


def main():
    lsqnet, path = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
    old = path.read_text(encoding="utf-8")
    new = fill(lsqnet, old)
    if "--check" not in sys.argv:
        path.write_text(new, encoding="utf-8")
        return 0
    known = subprocess.run([lsqnet, "help"], check=True, capture_output=True, text=True).stdout
    commands = re.findall(r"^  (\w+) ", known, re.MULTILINE)
    missing = [command for command in commands if f".Cm {command}\n" not in new]
    if missing or new != old:
        print(f"{path}: not what `lsqnet help` says; {missing} missing; write it by docs/man/options.py LSQNET PAGE")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
