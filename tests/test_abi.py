#!/usr/bin/env python3
"""The binary interface of the library, read from its debug information, is the one stored in tests/abi/lsqnet.abi, and
nothing of the first release's, in tests/abi/first_release.abi, is gone.

    test_abi.py LIBRARY SOURCE_FOLDER                      compares
    test_abi.py LIBRARY SOURCE_FOLDER --store              stores it, and the list of symbols
    test_abi.py LIBRARY SOURCE_FOLDER --release VERSION    stores the first release: that, and the headers
    test_abi.py - SOURCE_FOLDER --headers VERSION          compares the first release's headers with those stored

`ninja -C build store-abi` and `store-first-release` are the second and the third. What may be stored when is in
docs/abi.md."""
import copy
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

FIRST_RELEASE = "0.1.0"
CHANGED, INCOMPATIBLE = 4, 8  # bits of abidiff's exit code


def run(*command):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True)


def exported(library):
    """Names of the library's functions."""
    rows = [line.split() for line in run("nm", "-D", "--defined-only", library).stdout.splitlines()]
    return sorted(row[2].split("@")[0] for row in rows if len(row) == 3 and row[1] == "T")


def interface(library, source):
    """What programs see of the library, as abidw has it: functions and all that these lead to, handles opaque."""
    with tempfile.NamedTemporaryFile(suffix=".abi") as file:
        done = run("abidw", "--exported-interfaces-only", "--no-show-locs", "--no-corpus-path", "--no-comp-dir-path",
                   "--no-elf-needed", "--no-parameter-names", "--type-id-style", "hash", "--out-file", file.name,
                   library)
        if done.returncode != 0:
            raise SystemExit(done.stdout + done.stderr)
        root = ElementTree.parse(file.name).getroot()
    text = "".join(header.read_text(encoding="utf-8") for header in headers(source))
    handles = re.findall(r"^typedef struct (lsqnet_\w+) \1;", text, re.MULTILINE)
    for struct in root.iter("class-decl"):
        if struct.get("name") in handles:
            struct.attrib.pop("size-in-bits", None)
            struct.set("is-declaration-only", "yes")
            for member in list(struct):
                struct.remove(member)
    prune(root)
    return root


def prune(root):
    """Removes types that no function leads to."""
    types = {}
    for unit in root.iter("abi-instr"):
        for node in unit:
            types.setdefault(node.get("id"), []).append(node)
    ways, seen = list(root.iter("function-decl")), set()
    while ways:
        for part in ways.pop().iter():
            for name in ("type-id", "naming-typedef-id"):
                found = part.get(name)
                if found in types and found not in seen:
                    seen.add(found)
                    ways += types[found]
    for unit in root.iter("abi-instr"):
        for node in list(unit):
            if node.tag != "function-decl" and node.get("id") not in seen:
                unit.remove(node)


def structs(root):
    """{name: its node} of the structs whose first field is their size."""
    return {node.get("name"): node for node in root.iter("class-decl")
            if next((field.get("name") for field in node.iter("var-decl")), "") == "size"}


def without_new_fields(root, first):
    """A copy without the fields that have been added at the ends of structs since `first`."""
    root, before = copy.deepcopy(root), structs(first)
    for name, node in structs(root).items():
        fields = node.findall("data-member")
        then = before[name].findall("data-member") if name in before else fields
        for field in fields[len(then):]:
            node.remove(field)
        if len(fields) > len(then):
            node.set("size-in-bits", before[name].get("size-in-bits"))
    return root


def differences(stored, today, *options):
    """What abidiff has to say, or nothing."""
    with tempfile.TemporaryDirectory() as folder:
        paths = Path(folder) / "stored.abi", Path(folder) / "today.abi"
        for path, root in zip(paths, (stored, today)):
            ElementTree.ElementTree(root).write(path)
        done = run("abidiff", "--harmless", *options, *paths)
    if done.returncode & ~(CHANGED | INCOMPATIBLE):  # a signal is negative: all bits
        raise SystemExit(f"abidiff: {done.returncode}\n{done.stdout}{done.stderr}")
    return f"abidiff: {done.returncode}\n{done.stdout}{done.stderr}" if done.returncode != 0 else ""


def broken(first, today):
    """What programs of the first release would miss."""
    return differences(first, without_new_fields(today, first), "--no-added-syms")


def function(root, name):
    return next(node for node in root.iter("function-decl") if node.get("name") == name)


def add_field(root, struct, at):
    """A field more, at the end or in between."""
    node = structs(root)[struct]
    fields = node.findall("data-member")
    added = copy.deepcopy(next(field for field in fields if field.find("var-decl").get("name") == "rows"))
    added.find("var-decl").set("name", "new")
    if at == "end":
        added.set("layout-offset-in-bits", node.get("size-in-bits"))
        node.append(added)
    else:
        added.set("layout-offset-in-bits", "64")
        for field in fields:
            where = int(field.get("layout-offset-in-bits"))
            field.set("layout-offset-in-bits", str(where + 64 if where >= 64 else where))
        node.insert(list(node).index(fields[2]), added)
    node.set("size-in-bits", str(int(node.get("size-in-bits")) + 64))


def remove_last(root, parent, tag):
    parent.remove(parent.findall(tag)[-1])


def exchange(nodes, names):
    """Exchanges attributes of two nodes."""
    for name in names:
        values = [node.get(name) for node in nodes]
        for node, value in zip(nodes, reversed(values)):
            node.set(name, value)


def fields(root, struct, *names):
    return [node for name in names for node in structs(root)[struct].iter("var-decl") if node.get("name") == name]


def remove_function(root, name):
    for unit in root.iter("abi-instr"):
        for node in unit.findall("function-decl"):
            if node.get("name") == name:
                unit.remove(node)
    symbols = root.find("elf-function-symbols")
    symbols.remove(next(node for node in symbols if node.get("name") == name))


def self_test(first):
    """What is broken in a copy is seen, what may be added is not."""
    wrong = {
        "a field removed": lambda r: remove_last(r, structs(r)["lsqnet_batch"], "data-member"),
        "a field put in between": lambda r: add_field(r, "lsqnet_batch", "between"),
        "fields of two kinds exchanged": lambda r: exchange(fields(r, "lsqnet_model_step", "iterates", "step"),
                                                            ["name", "type-id"]),
        "fields of one kind exchanged": lambda r: exchange(fields(r, "lsqnet_batch", "first", "count"), ["name"]),
        "a parameter removed": lambda r: remove_last(r, function(r, "lsqnet_solver_solve_f64"), "parameter"),
        "a handle removed": lambda r: remove_last(r, function(r, "lsqnet_trainer_destroy"), "parameter"),
        "handles exchanged": lambda r: exchange(function(r, "lsqnet_model_forward_f64").findall("parameter")[:2],
                                                ["type-id"]),
        "a function removed": lambda r: remove_function(r, "lsqnet_evaluate"),
    }
    for what, change in wrong.items():
        doctored = copy.deepcopy(first)
        change(doctored)
        if not broken(first, doctored):
            raise SystemExit(f"not seen: {what}")
    less, more = copy.deepcopy(first), copy.deepcopy(first)
    add_field(more, "lsqnet_batch", "end")
    remove_function(less, "lsqnet_evaluate")
    for what, told in {"a field at the end": broken(first, more), "a function": broken(less, first),
                       "nothing": broken(first, first)}.items():
        if told:
            raise SystemExit(f"{what} more is no break:\n{told}")
    if not differences(first, more) or not differences(less, first):
        raise SystemExit("what has been added since it was stored is not seen")
    print(f"{len(wrong)} changes are seen")


def compare(library, source, folder):
    first, stored = (ElementTree.parse(folder / name).getroot() for name in ("first_release.abi", "lsqnet.abi"))
    self_test(first)
    today = interface(library, source)
    told = broken(first, today)
    if told:
        print(told)
        print("Something that programs of the first release rely on is gone: that needs a new abi_version.")
        return 1
    told = differences(stored, today)
    if told:
        print(told)
        print("If programs compiled before still run (docs/abi.md), store it in the same commit: ninja store-abi")
        return 1
    functions = len([node for node in stored.iter("function-decl") if node.get("name").startswith("lsqnet_")])
    print(f"{functions} functions as stored")
    return 0 if functions == len(exported(library)) > 0 else 1


def store(library, source, path):
    ElementTree.ElementTree(interface(library, source)).write(path)
    with path.open("a", encoding="utf-8") as file:
        file.write("\n")


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
        return compare(library, source, folder)
    if what == "--release":
        if version[0] != FIRST_RELEASE:
            raise SystemExit(f"this is {version[0]}: what {FIRST_RELEASE} was does not change any more")
        store_headers(source, folder)
        store(library, source, folder / "first_release.abi")
    store(library, source, folder / "lsqnet.abi")
    (folder / "symbols.txt").write_text("\n".join(exported(library)) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
