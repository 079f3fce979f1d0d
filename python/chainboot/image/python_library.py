"""Where the modules of an image's Python come from: a sysroot's standard library, and given packages.

Finds files by the names of modules, as the import system would; reads no source and follows no imports.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from chainboot.errors import ChainbootError
from chainboot.image.sysroot import Sysroot, join

DYNLOAD = "lib-dynload"


@dataclass(frozen=True, slots=True)
class Module:
    """A module with a file. `file` is below the standard library directory, as the image has it: `lark/tree.py`."""

    name: str
    file: PurePosixPath
    origin: Path | str  # a file of this machine for a given package, else a path in the sysroot
    is_package: bool

    @property
    def is_extension(self) -> bool:
        """Whether it is a shared object."""
        return self.file.suffix == ".so"

    @property
    def is_given(self) -> bool:
        """Whether it belongs to a given package, and not to the standard library."""
        return isinstance(self.origin, Path)


@dataclass(frozen=True, slots=True)
class PythonLibrary:
    """The standard library at `directory` of the sysroot, of Python `version` (`3.11`), with packages put into it."""

    sysroot: Sysroot
    directory: str
    version: str
    packages: Mapping[str, Path]

    @classmethod
    def of(cls, interpreter: str, sysroot: Sysroot, packages: Mapping[str, Path], place: str) -> PythonLibrary:
        """The library that `interpreter` will look for: `../lib/pythonX.Y` (Modules/getpath.py of CPython)."""
        for name, directory in packages.items():
            if not (directory / "__init__.py").is_file():
                raise ChainbootError(f"the Python package {name} has no {directory / '__init__.py'}")
        prefix = PurePosixPath(interpreter).parent.parent
        real = PurePosixPath(sysroot.resolve(interpreter) or interpreter)
        for base in dict.fromkeys((str(prefix / "lib"), str(real.parent.parent / "lib"))):
            there = join(base, real.name)
            if real.name.startswith("python") and sysroot.is_file(join(there, "os.py")):
                return cls(sysroot, there, real.name.removeprefix("python"), packages)
        raise ChainbootError(
            f"{place}: the standard library of {interpreter} is not in the sysroot",
            hint=f"looked for {prefix / 'lib' / real.name / 'os.py'}",
        )

    def find(self, name: str) -> Module | None:
        """The module `name`, or None. A given package hides a standard one of its name, as the image will have it."""
        steps = name.split(".")
        package = PurePosixPath(*steps, "__init__.py")
        plain = PurePosixPath(*steps[:-1], f"{steps[-1]}.py")
        for file, is_package in ((package, True), (plain, False)):
            origin = self._origin(file)
            if origin is not None:
                return Module(name, file, origin, is_package)
        # Extension modules of the standard library are all top-level: _json.cpython-311-x86_64-linux-gnu.so
        pattern = join(self.directory, f"{DYNLOAD}/{name}.*so")
        for path in self.sysroot.glob(pattern) if len(steps) == 1 else ():
            return Module(name, PurePosixPath(DYNLOAD, PurePosixPath(path).name), path, False)
        return None

    def read(self, module: Module) -> bytes:
        """What is in the module's file."""
        if isinstance(module.origin, str):
            return self.sysroot.read(module.origin)
        try:
            return module.origin.read_bytes()
        except OSError as error:
            raise ChainbootError(f"{module.origin} cannot be read: {error.strerror}") from error

    def data(self, pattern: str, place: str) -> tuple[tuple[PurePosixPath, Path], ...]:
        """The files of a given package that `pattern` (`lark/grammars/*.lark`) matches, with their places below it."""
        top, _, rest = pattern.partition("/")
        if top not in self.packages or not rest or ".." in PurePosixPath(pattern).parts:
            known = ", ".join(self.packages) or "no package"
            raise ChainbootError(f"{place}: {pattern} does not name a file of a given package: {known}")
        base = self.packages[top]
        found = sorted(path for path in base.glob(rest) if path.is_file())
        if not found:
            raise ChainbootError(f"{place}: {pattern} matches no file below {base}")
        return tuple((PurePosixPath(top, path.relative_to(base).as_posix()), path) for path in found)

    def _origin(self, file: PurePosixPath) -> Path | str | None:
        top = file.parts[0]
        if top in self.packages:
            path = self.packages[top].joinpath(*file.parts[1:])
            return path if path.is_file() else None
        there = join(self.directory, str(file))
        return there if self.sysroot.is_file(there) else None
