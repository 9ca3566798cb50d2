#!/usr/bin/env python3
"""The structs of the bindings in examples/ are those of the headers, field for field, in order and kind.

    test_bindings.py SOURCE_ROOT"""
import re
import sys
from pathlib import Path

# kinds as the bindings' own tables name them
C = {"uint32_t": "u32", "int32_t": "i32", "uint64_t": "u64", "int64_t": "i64", "double": "f64", "const char *": "text"}
RUST = {"u32": "u32", "i32": "i32", "u64": "u64", "i64": "i64", "f64": "f64", "Text": "text", "*const c_char": "text",
        "Own": "pointer"}
FORTRAN = {"integer(c_int32_t)": "i32", "integer(c_int64_t)": "i64", "real(c_double)": "f64", "type(c_ptr)": "pointer",
           "type(c_funptr)": "pointer"}


def snake(name):
    return re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()


def of_headers(root):
    structs = {}
    for header in sorted((root / "include/lsqnet").glob("*.h")):
        text = re.sub(r"/\*.*?\*/", "", header.read_text(encoding="utf-8"), flags=re.DOTALL)
        for body, name in re.findall(r"typedef struct \w+ \{([^{}]*)\} lsqnet_(\w+);", text):
            fields = [re.fullmatch(r"(.*?)(\w+)(?:\[\d\])?", " ".join(line.split())).groups()
                      for line in body.split(";") if line.strip() and "(*" not in line]
            structs[name] = [(field, C.get(kind.strip(), "pointer")) for kind, field in fields]
    return structs


def of_table(text):
    """"u32 size; i64 rows, width" """
    return [(field, kind) for line in text.split(";") for kind, *fields in [re.split(r"[\s,]+", line.strip())]
            for field in fields]


def of_python(text):
    text = text.replace('[("shape", c_int64 * 4)]', '"; i64 shape; "')
    for name, body in re.findall(r"^class (\w+)\(_Struct\):\n    _fields_ = (_fields\(\s*\".*?)\n\n", text, re.M | re.S):
        yield snake(name), of_table("".join(re.findall(r'"([^"]*)"', body)))


def of_javascript(text):
    for name, body in re.findall(r'= struct\("(\w+)",(.*?)\);', text, re.DOTALL):
        yield name, of_table("".join(re.findall(r'"([^"]*)"', body)))


def of_rust(text):
    for name, body in re.findall(r"#\[repr\(C\)\]\n[^\n]*\npub struct (\w+) \{\n(.*?)\n\}", text, re.DOTALL):
        fields = re.findall(r"^    (?:pub )?(\w+): (.+),$", body, re.MULTILINE)
        yield snake(name), [(field, RUST["u32" if kind.startswith("Size<") else kind]) for field, kind in fields]


def of_fortran(text):
    for name, body in re.findall(r"type, bind\(c\) :: lsqnet_(\w+)\n(.*?)\n  end type", text, re.DOTALL):
        lines = [line.split("::") for line in re.sub(r"&\n", "", body).splitlines()]
        yield name, [(field, FORTRAN[kind.strip()]) for kind, fields in lines
                     for field in re.split(r"[\s,]+", fields.strip())]


def signless(fields):
    """Fortran has neither unsigned numbers nor a kind of its own for texts."""
    return [(name, {"u32": "i32", "u64": "i64", "text": "pointer"}.get(kind, kind)) for name, kind in fields]


def main():
    root = Path(sys.argv[1])
    headers, seen = of_headers(root), 0
    for file, read, known in (("python/lsqnet.py", of_python, 15), ("javascript/lsqnet.mjs", of_javascript, 8),
                              ("rust/lsqnet.rs", of_rust, 8), ("fortran/lsqnet.f90", of_fortran, 9)):
        structs = dict(read((root / "examples" / file).read_text(encoding="utf-8")))
        if len(structs) < known:
            raise SystemExit(f"{file}: {len(structs)} structs seen of {known}: {', '.join(structs)}")
        for name, fields in structs.items():
            wanted = headers[name]
            if read is of_fortran:
                fields, wanted = signless(fields), signless(wanted)
            if read is of_javascript:
                fields = [(field, "pointer" if kind == "stop" else kind) for field, kind in fields]
            if fields != wanted:
                raise SystemExit(f"{file}: lsqnet_{name} is\n{fields}\nand in the headers\n{wanted}")
        seen += len(structs)
    print(f"{seen} structs of four bindings are those of the headers")


if __name__ == "__main__":
    main()
