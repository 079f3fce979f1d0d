"""The Python of an image: its interpreter, and the modules that are imported, and no others.

Follows imports from the roots the spec names, by reading sources. Runs nothing of the sysroot. What can be seen that
way, and what has to be named, is in docs/image-spec.md.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from chainboot.errors import ChainbootError
from chainboot.image.bytecode import compile_module
from chainboot.image.elf import builtin_modules, read_linkage
from chainboot.image.imports import Import, Moment, imports_of
from chainboot.image.linkage import Linker
from chainboot.image.python_library import DYNLOAD, Module, PythonLibrary
from chainboot.image.spec import PythonSpec
from chainboot.image.sysroot import Sysroot, join

INTERPRETER = "python interpreter"
STANDARD_LIBRARY = "python standard library"
EXTENSIONS = "python extension modules"

# What `python3 -P -s -S -m ...` imports by itself before the first line of a program: Lib/encodings/__init__.py for the
# file system and the standard streams, Lib/io.py, Lib/os.py, Lib/runpy.py for -m. `os` is also the file by which
# the interpreter finds its library (Modules/getpath.py, STDLIB_LANDMARKS).
_STARTUP = (
    "abc", "codecs", "encodings", "encodings.aliases", "encodings.ascii", "encodings.latin_1", "encodings.utf_8",
    "genericpath", "importlib", "importlib.machinery", "importlib.util", "io", "os", "posixpath", "runpy", "stat",
    "warnings", "_collections_abc",
)  # fmt: skip

# Modules that every interpreter has without looking for a file: the import system is frozen (Python/frozen.c) and
# known by two names (Lib/importlib/__init__.py), os.path is posixpath by another name (Lib/os.py).
_WITHOUT_FILE = frozenset(
    {
        "__main__",
        "_frozen_importlib",
        "_frozen_importlib_external",
        "importlib._bootstrap",
        "importlib._bootstrap_external",
        "os.path",
    }
)


@dataclass(slots=True)
class _Closure:
    """The modules that are imported from some roots.

    `because` says of each who imported it first; `left_out` names what functions of given packages will not find.
    """

    library: PythonLibrary
    builtins: frozenset[str]
    exclude: frozenset[str]
    found: dict[str, Module] = field(default_factory=dict)
    because: dict[str, str] = field(default_factory=dict)
    left_out: set[str] = field(default_factory=set)
    _waiting: list[Module] = field(default_factory=list)

    def add_root(self, name: str, because: str) -> None:
        """A module that must be there, with all it imports."""
        if self._excluded(name):
            raise ChainbootError(f"the Python module {name} is wanted by {because} and is excluded")
        if not self._include(name, because):
            raise ChainbootError(f"the Python module {name} is wanted by {because} and is not to be found", hint=_HINT)
        while self._waiting:
            module = self._waiting.pop()
            if not module.is_extension:
                source = self.library.read(module)
                for wanted in imports_of(source, module.name, is_package=module.is_package):
                    self._follow(module, wanted)

    def _follow(self, module: Module, wanted: Import) -> None:
        because = f"imported by {module.name}"
        if self._refused(module, wanted, wanted.name):
            return
        if not self._include(wanted.name, because):
            # A standard library may come without parts of itself, and a function in it that needs one cannot work
            # there either; in a package that was given on purpose it is a mistake.
            if wanted.moment is Moment.LOADED or (wanted.moment is Moment.CALLED and module.is_given):
                raise ChainbootError(
                    f"the Python module {wanted.name} is imported by {module.name} (line {wanted.line}) "
                    "and is not to be found",
                    hint=_HINT,
                )
            return
        target = self.found.get(wanted.name)
        if target is None or not target.is_package:
            return
        for member in wanted.members:
            name = f"{wanted.name}.{member}"
            if self.library.find(name) is not None and not self._refused(module, wanted, name):
                self._include(name, because)

    def _refused(self, module: Module, wanted: Import, name: str) -> bool:
        """Whether `name` is excluded. If `module` cannot even be loaded without it, that is an error."""
        if not self._excluded(name):
            return False
        if wanted.moment is Moment.CALLED and module.is_given:
            self.left_out.add(f"{name} ({module.name})")
        if wanted.moment is Moment.LOADED:
            raise ChainbootError(
                f"the Python module {name} is excluded, and {module.name} imports it each time it is loaded "
                f"(line {wanted.line})",
                hint=f"exclude {module.name} as well ({self.because[module.name]}), or exclude neither",
            )
        return True

    def _include(self, name: str, because: str) -> bool:
        """Take in `name` and the packages it lies in; False if there is no such module."""
        if name in self.builtins or name in _WITHOUT_FILE or name in self.found:
            return True
        module = self.library.find(name)
        if module is None:
            return False
        parent = name.rpartition(".")[0]
        if parent and not self._include(parent, f"the package of {name}"):
            return False
        self.found[name] = module
        self.because[name] = because
        self._waiting.append(module)
        return True

    def _excluded(self, name: str) -> bool:
        steps = name.split(".")
        return any(".".join(steps[:count]) in self.exclude for count in range(1, len(steps) + 1))


_HINT = "give its package with --package, or name it under python.exclude if it is never reached"


def add_python(
    spec: PythonSpec, sysroot: Sysroot, linker: Linker, packages: Mapping[str, Path], say: Callable[[str], None]
) -> tuple[str, ...]:
    """Put the interpreter, and the modules it is to import, into the tree of `linker`.

    `packages` maps the name of each given package to its directory on this machine. Returns notes for a person.
    Raises a `ChainbootError` that names the importer if a module is missing.
    """
    interpreter = sysroot.the_file(spec.interpreter, "python.interpreter")
    library = PythonLibrary.of(interpreter, sysroot, packages, "python.interpreter")
    placed = linker.add(interpreter, interpreter, 0o755, INTERPRETER, "python.interpreter")
    linker.tree.add_links((link, placed, "python.links") for link in spec.links)
    builtins = frozenset(_builtins(interpreter, sysroot, linker))
    closure = _Closure(library, builtins, frozenset(spec.exclude))
    for name in _STARTUP:
        closure.add_root(name, "the start of the interpreter")
    say(f"following the imports of {', '.join(spec.modules) or 'the interpreter'}")
    for index, name in enumerate(spec.modules):
        closure.add_root(name, f"python.modules[{index}]")

    notes: list[str] = []
    if closure.left_out:
        notes.append(f"excluded, and imported by a function of: {', '.join(sorted(closure.left_out))}")
    compiled = library.version == f"{sys.version_info.major}.{sys.version_info.minor}"
    if not compiled:
        notes.append(
            f"Python modules are included as sources: the sysroot has Python {library.version}, "
            f"and Python {sys.version_info.major}.{sys.version_info.minor} cannot compile for it"
        )
    for name in sorted(closure.found):
        _put(closure.found[name], closure.because[name], library, linker, spec.optimize if compiled else None)
    for index, pattern in enumerate(spec.data):
        for file, path in library.data(pattern, f"python.data[{index}]"):
            target = join(library.directory, str(file))
            linker.tree.add_file(target, 0o644, path.read_bytes(), _group(file.parts[0]), f"python.data[{index}]")
    # Without this directory the interpreter complains at each start (Modules/getpath.py, PLATSTDLIB_LANDMARK).
    linker.tree.add_directory(join(library.directory, DYNLOAD), 0o755, "python.interpreter")
    return tuple(notes)


def _put(module: Module, because: str, library: PythonLibrary, linker: Linker, optimize: int | None) -> None:
    """Put one module into the image: as a shared object with its libraries, as bytecode, or (None) as source."""
    target = join(library.directory, str(module.file))
    if module.is_extension:
        linker.add(str(module.origin), target, 0o644, EXTENSIONS, because)
        return
    source = library.read(module)
    group = _group(module.file.parts[0]) if module.is_given else STANDARD_LIBRARY
    if optimize is None:
        linker.tree.add_file(target, 0o644, source, group, because)
    else:
        # foo.pyc in the place of foo.py is imported without a source (PEP 3147, "legacy" layout).
        linker.tree.add_file(f"{target}c", 0o644, compile_module(source, target, optimize), group, because)


def _group(package: str) -> str:
    return f"python package {package}"


def _builtins(interpreter: str, sysroot: Sysroot, linker: Linker) -> tuple[str, ...]:
    """The modules compiled into the interpreter, or into the libpython it is linked with."""
    data = sysroot.read(interpreter)
    names = builtin_modules(data, interpreter)
    for needed in read_linkage(data, interpreter).needed:
        if names is None and needed.startswith("libpython"):
            path = linker.located[needed]
            names = builtin_modules(sysroot.read(path), path)
    if names is None:
        raise ChainbootError(
            f"{interpreter} does not say which modules are built into it",
            hint="neither it nor its libpython has a PyImport_Inittab; is it a CPython?",
        )
    return names
