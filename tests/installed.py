"""The library as a program meets it: installed into a scratch folder, found by pkg-config. For tests beside this.

    installed.py MESON BUILD_FOLDER ROOT

installs below ROOT and no more."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path


def run(*command, **options):
    """Standard output of a command, which must succeed."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def only(paths, what):
    paths = list(paths)
    if len(paths) != 1:
        raise SystemExit(f"installed {len(paths)} {what}, not 1: {paths}")
    return paths[0]


def install(meson, build, root):
    """Installs below `root`, as if that were where it belongs: (library, file for pkg-config, prefix)."""
    run(meson, "install", "-C", build, "--no-rebuild", "--destdir", root)
    config = only(root.rglob("lsqnet.pc"), "lsqnet.pc")
    prefix = root / re.search(r"^prefix=/(.*)$", config.read_text(), re.MULTILINE).group(1)
    config.write_text(re.sub("^prefix=.*$", f"prefix={prefix}", config.read_text(), flags=re.MULTILINE))
    return only(root.rglob("liblsqnet.so"), "liblsqnet.so"), config, prefix


class Installed:
    """`with Installed(meson, build) as it`: it.prefix, it.library, it.flags for a compiler, it.environment to run in,
    and it.scratch, a folder to work in; all gone at the end."""

    def __init__(self, meson, build):
        self.meson, self.build = meson, build

    def __enter__(self):
        self.scratch = Path(tempfile.mkdtemp())
        try:
            self.install()
        except BaseException:
            shutil.rmtree(self.scratch)
            raise
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.scratch)

    def install(self):
        self.root = self.scratch / "root"
        self.library, config, self.prefix = install(self.meson, self.build, self.root)
        self.environment = {**os.environ, "PKG_CONFIG_PATH": str(config.parent),
                            "LD_LIBRARY_PATH": str(self.library.parent),
                            "PATH": f"{self.prefix / 'bin'}{os.pathsep}{os.environ['PATH']}"}
        self.flags = run("pkg-config", "--cflags", "--libs", "lsqnet", env=self.environment).split()

    def run(self, *command, **options):
        """A command as somebody would run it who has installed the library, in the scratch folder."""
        return run(*command, **{"cwd": self.scratch, "env": self.environment, **options})


if __name__ == "__main__":
    install(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
