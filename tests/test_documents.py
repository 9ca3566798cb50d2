#!/usr/bin/env python3
"""The reference is complete, man pages and completion say what the command says.

    test_documents.py reference SOURCE_FOLDER VERSION     Doxygen makes pages of the documents and of every public
                                                          symbol, without a warning
    test_documents.py man SOURCE_FOLDER LSQNET            mandoc and groff have nothing to say; options and statuses are
                                                          those of `lsqnet help` and the headers
    test_documents.py completion SOURCE_FOLDER LSQNET     what bash completes"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

from installed import run


def has_text(member):
    return any("".join(member.find(part).itertext()).strip() for part in ("briefdescription", "detaileddescription"))


def check_reference(source, version):
    """Every exported function has a text of its own, too."""
    out = tempfile.mkdtemp()
    try:
        run("doxygen", "docs/Doxyfile", cwd=source,
            env={**os.environ, "LSQNET_VERSION": version, "LSQNET_REFERENCE": out})
        documented = {member.findtext("name") for file in Path(out, "xml").glob("*_8h.xml")
                      for member in ElementTree.parse(file).iter("memberdef") if has_text(member)}
        symbols = (source / "tests/abi/symbols.txt").read_text(encoding="utf-8").split()
        missing = [name for name in symbols if name not in documented]
        print(f"{len(symbols)} functions, not documented: {missing}")
        index = Path(out, "html/index.html").read_text(encoding="utf-8")
        documents = ["CONTRIBUTING", "NEWS", "SECURITY"] + [  # the gallery is pictures alone
            f"docs_{path.stem.replace('-', '_')}" for path in (source / "docs").glob("*.md") if path.stem != "gallery"]
        missing += [name for name in documents if not Path(out, f"html/md_{name}.html").exists() or
                    (f"md_{name}.html" not in index and name != "docs_long_runs")]
        print(f"{len(documents)} documents; missing, or not named on the first page: {missing}")
        return not missing
    finally:
        shutil.rmtree(out)


def check_man(source, lsqnet):
    for page in ("lsqnet.1", "liblsqnet.3"):
        run("mandoc", "-T", "lint", "-W", "warning", source / "docs/man" / page)
        said = subprocess.run(["groff", "-mandoc", "-ww", "-Tutf8", source / "docs/man" / page], check=True,
                              capture_output=True, text=True).stderr
        if said:
            raise SystemExit(said)
    run(sys.executable, source / "docs/man/options.py", lsqnet, source / "docs/man/lsqnet.1", "--check")
    headers = "".join(header.read_text(encoding="utf-8") for header in (source / "include/lsqnet").glob("*.h"))
    text = (source / "docs/man/liblsqnet.3").read_text(encoding="utf-8")
    for name in re.findall(r"^\.Fn (lsqnet_\w+)", text, re.MULTILINE):
        if not re.search(rf"\b{name}\(", headers):
            raise SystemExit(f"liblsqnet.3: {name} is in no header")
    said = re.findall(r"^\.It Dv (\w+) No = (\d+)$", text, re.MULTILINE)
    if said != re.findall(r"\b(LSQNET_E_\w+) = (\d+)", headers):
        raise SystemExit(f"liblsqnet.3: not the statuses of the headers: {said}")
    return True


def complete(source, lsqnet, *words):
    script = (f'source "{source}/tools/lsqnet.bash"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _lsqnet; '
              'echo "${COMPREPLY[@]}"')
    return run("bash", "-c", script, "bash", lsqnet, *words).split()


def check_completion(source, lsqnet):
    for words, wanted in [(["so"], ["solve"]), (["help", "ex"], ["export"]), (["solve", "--int"], ["--intercept"]),
                          (["train", "mul"], ["multiply", "multistep_gd"]),
                          (["reproduce", "mixed"], ["mixed-precision"]),
                          (["export", "x", "--dtype", ""], ["f32", "f64"]),
                          (["train", "square", "--mlp", "g"], ["gelu", "glu"]), (["solve", "data"], [])]:
        got = complete(source, lsqnet, *words)
        if got != wanted:
            raise SystemExit(f"lsqnet {' '.join(words)}: completed to {got}, not {wanted}")
    return True


def main():
    what, source, last = sys.argv[1:]
    source = Path(source)
    if what == "reference":
        return 0 if check_reference(source, last) else 1
    check = {"man": check_man, "completion": check_completion}[what]
    return 0 if check(source, Path(last).resolve()) else 1


if __name__ == "__main__":
    sys.exit(main())
