"""A directory that holds another machine's file system, and paths that never leave it.

Resolves symbolic links as that machine would, with the sysroot as `/`. Knows files; knows nothing of what is in them.
"""

from __future__ import annotations

import fnmatch
import os
import stat
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from chainboot.errors import ChainbootError

# As the kernel: path_resolution(7), "maximum total of 40".
_MAX_LINKS = 40

# Packages that were unpacked and not installed have both /lib and /usr/lib, and some name the one and carry the
# other: on the machine they are for, /lib is a link to usr/lib.
_MERGED = ("bin", "sbin", "lib", "lib32", "lib64")


@dataclass(frozen=True, slots=True)
class Sysroot:
    """The root of an unpacked file system. All paths are absolute inside it, `/usr/bin/env`.

    What is below `store`, if there is one, is found on this machine at the same path: files of a Nix store name each
    other by it.
    """

    root: Path
    store: PurePosixPath | None = None

    @classmethod
    def open(cls, root: Path, store: Path | None = None) -> Sysroot:
        """The sysroot at `root`, which must be a directory, as must `store`, which may not be `/`."""
        if not root.is_dir():
            raise ChainbootError(f"the sysroot {root} is not a directory")
        if store is None:
            return cls(Path(os.path.abspath(root)))  # resolve() would follow links: names stay as given
        shared = PurePosixPath(os.path.abspath(store))
        if not store.is_dir() or len(shared.parts) < 2:
            raise ChainbootError(f"the store {store} is not a directory below /")
        return cls(Path(os.path.abspath(root)), shared)

    def resolve(self, path: str) -> str | None:
        """The path that `path` leads to, free of symbolic links, or None if nothing is there."""
        return self._resolve(path, 0)

    def host(self, resolved: str) -> Path:
        """Where a path that `resolve` gave is found on this machine."""
        if self._is_shared(resolved):
            return Path(resolved)
        return self.root / resolved.lstrip("/")

    def is_file(self, path: str) -> bool:
        """Whether `path` leads to a regular file."""
        found = self.resolve(path)
        return found is not None and self.host(found).is_file()

    def is_directory(self, path: str) -> bool:
        """Whether `path` leads to a directory."""
        found = self.resolve(path)
        return found is not None and self.host(found).is_dir()

    def read(self, path: str) -> bytes:
        """What is in the file that `path` leads to. Raises a `ChainbootError` if there is none."""
        found = self.resolve(path)
        if found is None or not self.host(found).is_file():
            raise ChainbootError(f"{path} is not a file of the sysroot {self.root}")
        try:
            return self.host(found).read_bytes()
        except OSError as error:
            raise ChainbootError(f"{path} of the sysroot cannot be read: {error.strerror}") from error

    def names(self, path: str) -> tuple[str, ...]:
        """The names in the directory that `path` leads to, sorted; none if it is not a directory."""
        found = self.resolve(path)
        if found is None or not self.host(found).is_dir():
            return ()
        return tuple(sorted(os.listdir(self.host(found))))  # names, not paths

    def the_file(self, pattern: str, place: str) -> str:
        """The one file that `pattern` matches, as the pattern spells it; `place` says in errors who asks."""
        found = {self.resolve(path): path for path in reversed(self.glob(pattern)) if self.is_file(path)}
        if len(found) == 1:
            return next(iter(found.values()))
        if not found:
            raise ChainbootError(
                f"{place}: {pattern} is not in the sysroot {self.root}",
                hint="is the package that carries it unpacked there?",
            )
        raise ChainbootError(f"{place}: {pattern} matches {len(found)} files: {', '.join(sorted(found.values()))}")

    def glob(self, pattern: str) -> tuple[str, ...]:
        """The paths that `pattern` matches, sorted. `*`, `?` and `[...]` stand for no slash, and for no leading dot.

        Where nothing matches it as it is written, its other name on a machine with a merged /usr is tried.
        """
        for spelling in _spellings(pattern):
            found = ["/"]
            parts = PurePosixPath(spelling).parts[1:]
            if self.store is not None and self._is_shared(spelling):
                found, parts = [str(self.store)], PurePosixPath(spelling).relative_to(self.store).parts
            for part in parts:
                found = [join(base, name) for base in found for name in self._matching(base, part)]
            if found:
                return tuple(sorted(found))
        return ()

    def _matching(self, base: str, part: str) -> tuple[str, ...]:
        if not any(char in part for char in "*?["):
            return (part,) if self._walk(join(base, part)) is not None else ()
        hidden = part.startswith(".")
        return tuple(
            name
            for name in self.names(base)
            if fnmatch.fnmatchcase(name, part) and name.startswith(".") == hidden and self._walk(join(base, name))
        )

    def _is_shared(self, path: str) -> bool:
        """Whether a path without `..` is below the store, whose directories the sysroot itself does not have."""
        return self.store is not None and PurePosixPath(path).is_relative_to(self.store)

    def _resolve(self, path: str, links: int) -> str | None:
        for spelling in _spellings(path):
            found = self._walk(spelling, links)
            if found is not None:
                return found
        return None

    def _walk(self, path: str, links: int = 0) -> str | None:
        todo = [part for part in reversed(path.split("/")) if part not in ("", ".")]
        done: list[str] = []
        if self.store is not None and self._is_shared(path):
            done = list(self.store.parts[1:])
            del todo[-len(done) :]
        while todo:
            part = todo.pop()
            if part == "..":
                if done:
                    done.pop()  # at the root, `..` is the root
                continue
            host = self.host("/".join(["", *done, part]))
            try:
                mode = host.lstat().st_mode
                if not stat.S_ISLNK(mode):
                    done.append(part)
                    continue
                target = os.readlink(host)  # Path would normalise the text of the link
            except OSError:
                return None
            links += 1
            if links > _MAX_LINKS:
                return None
            if target.startswith("/"):
                return self._resolve("/".join([target, *reversed(todo)]), links)
            todo += [step for step in reversed(target.split("/")) if step not in ("", ".")]
        return "/" + "/".join(done)


def join(base: str, name: str) -> str:
    """`name` in the directory `base`; an absolute `name` stands for itself."""
    return str(PurePosixPath(base) / name)


def _spellings(path: str) -> tuple[str, ...]:
    """`path`, and its other name on a machine with a merged /usr."""
    parts = PurePosixPath(path).parts[1:]
    if parts and parts[0] in _MERGED:
        return path, f"/usr{path}"
    if len(parts) > 1 and parts[0] == "usr" and parts[1] in _MERGED:
        return path, "/" + "/".join(parts[1:])
    return (path,)
