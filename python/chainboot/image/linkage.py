"""Programs and libraries of a sysroot, with every library they need, found as the dynamic linker would find it.

Rules: ld.so(8) and the ELF gABI, chapter 5, "Shared Object Dependencies". Reads files, runs nothing, so the sysroot
may be of any architecture.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePosixPath

from chainboot.errors import ChainbootError
from chainboot.image.architecture import is_elf, is_for, library_directories
from chainboot.image.elf import Linkage, read_linkage
from chainboot.image.sysroot import Sysroot, join
from chainboot.image.tree import ImageTree

LIBRARIES = "libraries"


@dataclass(frozen=True, slots=True)
class _SearchPath:
    """A directory to look in: where it is in the sysroot, and what the image will call it."""

    sysroot: str
    image: str


@dataclass(frozen=True, slots=True)
class _Object:
    """An ELF file with its two places, and what holds for all that it loads: the DT_RPATHs of what loads it, and the
    directory of the dynamic linker that does."""

    sysroot: str
    image: str
    inherited: tuple[_SearchPath, ...]
    loader: tuple[_SearchPath, ...]


@dataclass(slots=True)
class Linker:
    """Puts ELF files and their libraries into an image tree.

    `located` maps the name of each library that was needed to its path in the sysroot.
    """

    sysroot: Sysroot
    tree: ImageTree
    located: dict[str, str] = field(default_factory=dict)
    _loaders: dict[_SearchPath, None] = field(default_factory=dict)
    _done: set[_Object] = field(default_factory=set)

    def add(self, path: str, target: str, mode: int, group: str, because: str) -> str:
        """Put the ELF file at `path` of the sysroot to `target`, with all it needs. Returns the path it got.

        Raises a `ChainbootError` if it is no ELF file, or a library is missing from the sysroot.
        """
        data = self.sysroot.read(path)
        if not is_elf(data):
            raise ChainbootError(
                f"{path} is wanted by {because} and is not an ELF file",
                hint="put scripts and data under 'files' of the image spec",
            )
        placed = self.tree.add_file(target, mode, data, group, because)
        # What names no dynamic linker, as a module of Python, is loaded by one of those that are there.
        self._follow(_Object(path, placed, (), tuple(self._loaders)), read_linkage(data, path))
        return placed

    def _follow(self, first: _Object, linkage: Linkage) -> None:
        waiting = [(first, linkage)]
        while waiting:
            thing, linkage = waiting.pop()
            if thing in self._done:
                continue
            self._done.add(thing)
            loader = thing.loader
            if linkage.interpreter is not None:
                loader = (_root(linkage.interpreter),)
                self._loaders[loader[0]] = None
                waiting += self._library(linkage.interpreter, loader, thing, (), loader, exact=True)
            own = _expand(linkage.rpath, self._origin(thing))
            # DT_RPATH counts only where there is no DT_RUNPATH, and then for all that is loaded from here on.
            inherited = () if linkage.runpath else (*own, *thing.inherited)
            handed_on = (*own, *thing.inherited) if not linkage.runpath else thing.inherited
            directories = (
                *inherited,
                *_expand(linkage.runpath, self._origin(thing)),
                *(_SearchPath(path, path) for path in library_directories(self.tree.architecture)),
                # Nix: a C library's own directory is compiled into its dynamic linker, and is no RUNPATH of its files.
                *loader,
            )
            for needed in linkage.needed:
                searched = (_root(needed),) if "/" in needed else directories
                waiting += self._library(needed, searched, thing, handed_on, loader, exact="/" in needed)

    def _library(
        self,
        needed: str,
        searched: tuple[_SearchPath, ...],
        asker: _Object,
        inherited: tuple[_SearchPath, ...],
        loader: tuple[_SearchPath, ...],
        *,
        exact: bool,
    ) -> list[tuple[_Object, Linkage]]:
        other_machine = False
        for directory in searched:
            path = join(directory.sysroot, needed)
            if not self.sysroot.is_file(path):
                continue
            data = self.sysroot.read(path)
            if not is_for(data, self.tree.architecture):
                other_machine = True  # ld.so goes on, too: a 32-bit library may lie in /usr/lib
                continue
            target = needed if exact else join(directory.image, needed)
            self.located.setdefault(needed, path)
            placed = self.tree.add_file(target, 0o755, data, LIBRARIES, f"needed by {asker.image}")
            return [(_Object(path, placed, inherited, loader), read_linkage(data, path))]
        found = f"is in the sysroot only for another machine than {self.tree.architecture.name}"
        raise ChainbootError(
            f"{needed} is needed by {asker.sysroot} and {found if other_machine else 'is not in the sysroot'}",
            hint=f"looked in {' '.join(dict.fromkeys(path.sysroot for path in searched)) or 'nothing'};"
            f" unpack the package that carries it into {self.sysroot.root}",
        )

    def _origin(self, thing: _Object) -> _SearchPath:
        """$ORIGIN: the directory of the file itself, links followed (ld.so(8), "Dynamic string tokens")."""
        real = self.sysroot.resolve(thing.sysroot) or thing.sysroot
        return _SearchPath(str(PurePosixPath(real).parent), str(PurePosixPath(thing.image).parent))


def _root(path: str) -> _SearchPath:
    directory = str(PurePosixPath(path).parent)
    return _SearchPath(directory, directory)


def _expand(directories: tuple[str, ...], origin: _SearchPath) -> tuple[_SearchPath, ...]:
    return tuple(
        _SearchPath(_with_origin(directory, origin.sysroot), _with_origin(directory, origin.image))
        for directory in directories
    )


def _with_origin(directory: str, origin: str) -> str:
    return directory.replace("$ORIGIN", origin).replace("${ORIGIN}", origin)
