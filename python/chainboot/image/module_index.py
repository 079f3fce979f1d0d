"""The kernel modules of one release, as a sysroot has them: files, dependencies, aliases.

From the tables that depmod(8) writes, or, where a package was unpacked and depmod never ran, from the modules
themselves. Runs nothing of the sysroot; `zstd` of this machine unpacks what the standard library cannot.
"""

from __future__ import annotations

import fnmatch
import gzip
import lzma
import tempfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from chainboot.errors import ChainbootError
from chainboot.image.elf import read_section
from chainboot.image.sysroot import Sysroot, join
from chainboot.process import Runner

_SUFFIXES = (".ko", ".ko.gz", ".ko.xz", ".ko.zst")


@dataclass(slots=True)
class ModuleIndex:
    """What modprobe would know. Names have `_` for `-`; paths are below `directory`, with their compression suffix.

    `soft` holds softdep lines as modules.softdep has them (`pre: a b post: c`) by module.
    """

    sysroot: Sysroot
    directory: str
    release: str
    run: Runner
    files: dict[str, str] = field(default_factory=dict)
    depends: dict[str, tuple[str, ...]] = field(default_factory=dict)
    soft: dict[str, list[str]] = field(default_factory=dict)
    aliases: list[tuple[str, str]] = field(default_factory=list)
    builtin: frozenset[str] = frozenset()
    builtin_paths: tuple[str, ...] = ()
    _builtin_aliases: list[tuple[str, str]] = field(default_factory=list)
    _exact: dict[str, list[str]] = field(default_factory=dict)
    _patterns: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    def read(
        cls, sysroot: Sysroot, directory: str, release: str, run: Runner, say: Callable[[str], None]
    ) -> ModuleIndex:
        """The index of `directory`, which is `/lib/modules/RELEASE` of the sysroot."""
        index = cls(sysroot, directory, release, run)
        index.builtin_paths = index._lines("modules.builtin")
        index.builtin = frozenset(module_name(path) for path in index.builtin_paths)
        index._read_builtin_aliases()
        if sysroot.is_file(join(directory, "modules.dep")):
            index._read_tables()
        else:
            index._read_modules(say)
        for pattern, name in index.aliases + index._builtin_aliases:
            plain = _underscored(pattern)
            if any(char in plain for char in "*?["):
                index._patterns.append((plain, name))
            else:
                index._exact.setdefault(plain, []).append(name)
        return index

    def resolve(self, wanted: str) -> tuple[str, ...]:
        """The modules that `modprobe wanted` would load or find built in: by name, else by alias; none if unknown."""
        name = wanted.replace("-", "_")
        if name in self.files or name in self.builtin:
            return (name,)
        alias = _underscored(wanted)
        found = self._exact.get(alias, []) + [
            name for pattern, name in self._patterns if fnmatch.fnmatchcase(alias, pattern)
        ]
        return tuple(sorted(dict.fromkeys(name for name in found if name in self.files or name in self.builtin)))

    def content(self, name: str) -> bytes:
        """The module, uncompressed."""
        path = join(self.directory, self.files[name])
        return _uncompressed(self.sysroot.read(path), path, self.run)

    def _lines(self, table: str) -> tuple[str, ...]:
        path = join(self.directory, table)
        if not self.sysroot.is_file(path):
            return ()
        text = self.sysroot.read(path).decode("utf-8", "replace")
        return tuple(line for line in text.splitlines() if line.strip() and not line.startswith("#"))

    def _read_builtin_aliases(self) -> None:
        """modules.builtin.modinfo: `module.key=value`, NUL after each (Documentation/kbuild/kbuild.rst)."""
        path = join(self.directory, "modules.builtin.modinfo")
        if self.sysroot.is_file(path):
            for item in self.sysroot.read(path).decode("utf-8", "replace").split("\0"):
                key, _, value = item.partition("=")
                module, _, key = key.partition(".")
                if key == "alias":
                    self._builtin_aliases.append((value, module.replace("-", "_")))

    def _read_tables(self) -> None:
        """modules.dep, modules.alias and modules.softdep: modules.dep(5), depmod(8)."""
        for line in self._lines("modules.dep"):
            path, _, depends = line.partition(":")
            name = module_name(path)
            self.files[name] = path.strip()
            self.depends[name] = tuple(module_name(depend) for depend in depends.split())
        for line in self._lines("modules.alias"):
            words = line.split()
            if len(words) == 3 and words[0] == "alias":
                self.aliases.append((words[1], words[2].replace("-", "_")))
        for line in self._lines("modules.softdep"):
            words = line.split(maxsplit=2)
            if len(words) == 3 and words[0] == "softdep":
                self.soft.setdefault(words[1].replace("-", "_"), []).append(words[2])

    def _read_modules(self, say: Callable[[str], None]) -> None:
        """The `.modinfo` section of each module: MODULE_INFO in include/linux/module.h; modpost writes `depends`."""
        for path in _walk(self.sysroot, self.directory, ""):
            self.files[module_name(path)] = path
        say(f"no modules.dep for {self.release}: reading {len(self.files)} kernel modules")
        for name in sorted(self.files):
            section = read_section(self.content(name), ".modinfo", self.files[name])
            for item in section.decode("utf-8", "replace").split("\0"):
                key, _, value = item.partition("=")
                if key == "depends":
                    self.depends[name] = tuple(depend.replace("-", "_") for depend in value.split(",") if depend)
                elif key == "alias":
                    self.aliases.append((value, name))
                elif key == "softdep":
                    self.soft.setdefault(name, []).append(value)


def module_name(path: str) -> str:
    """`kernel/fs/nls/nls-ascii.ko.xz` -> `nls_ascii`: the kernel's name of a module, from its file's."""
    return PurePosixPath(path.strip()).name.partition(".")[0].replace("-", "_")


def _walk(sysroot: Sysroot, directory: str, below: str) -> Iterable[str]:
    for name in sysroot.names(join(directory, below)):
        path = f"{below}/{name}".lstrip("/")
        # `build` and `source` are links that lead out of the release's directory.
        if sysroot.host(directory).joinpath(path).is_symlink():
            continue
        if name.endswith(_SUFFIXES):
            yield path
        elif sysroot.is_directory(join(directory, path)):
            yield from _walk(sysroot, directory, path)


def _underscored(alias: str) -> str:
    """`alias` with `_` for `-` outside brackets, as kmod compares them (alias_normalize in libkmod)."""
    bracket = False
    out: list[str] = []
    for char in alias:
        bracket = char == "[" or (bracket and char != "]")
        out.append("_" if char == "-" and not bracket else char)
    return "".join(out)


def _uncompressed(data: bytes, path: str, run: Runner) -> bytes:
    try:
        match PurePosixPath(path).suffix:
            case ".gz":
                return gzip.decompress(data)
            case ".xz":
                return lzma.decompress(data)
            case ".zst":
                return _unzstd(data, run)
            case _:
                return data
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise ChainbootError(f"{path} cannot be uncompressed: {error}") from error


def _unzstd(data: bytes, run: Runner) -> bytes:
    with tempfile.TemporaryDirectory(prefix="chainboot-") as name:
        packed = Path(name) / "module.zst"
        packed.write_bytes(data)
        unpacked = Path(name) / "module"
        run(["zstd", "-q", "-d", "-o", str(unpacked), str(packed)], check=True)
        return unpacked.read_bytes()
