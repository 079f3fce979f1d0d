"""Installs a Python project as its pyproject.toml says, for the stand-in of buildPythonApplication: no pip, no wheel.

Arguments: the project, the directory of packages, the directory of programs, the interpreter, and then the directories
of what the project depends on.
"""

import shutil
import sys
import tomllib
from pathlib import Path

project, packages, programs = map(Path, sys.argv[1:4])
interpreter, *dependencies = sys.argv[4:]
table = tomllib.loads((project / "pyproject.toml").read_text())
setuptools = table["tool"]["setuptools"]
for name in setuptools["packages"]:
    there = packages.joinpath(*name.split("."))
    there.mkdir(parents=True, exist_ok=True)
    for pattern in ("*.py", *setuptools.get("package-data", {}).get(name, ())):
        for file in sorted(project.joinpath(*name.split(".")).glob(pattern)):
            shutil.copyfile(file, there / file.name)
programs.mkdir(parents=True, exist_ok=True)
for name, entry in table["project"]["scripts"].items():
    module, _, function = entry.partition(":")
    script = programs / name
    script.write_text(
        f"#!{interpreter}\nimport sys\nsys.path[:0] = {[str(packages), *dependencies]!r}\n"
        f"from {module} import {function}\nsys.exit({function}())\n"
    )
    script.chmod(0o755)
