"""What is inside an initrd, as far as it can be told without booting it: looked at before it is installed.

Refuses what surely cannot boot: one that is cut off, one for another machine, one with modules for another kernel.
Whatever it is not sure of it says in a note, for the kernel may take more than is known here.
Sources: Linux init/initramfs.c (archives one after the other, zeros between them), Documentation/driver-api/
early-userspace/buffer-format.rst (newc).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from chainboot.architecture import ARCHITECTURES, S390X
from chainboot.errors import RefusedError
from chainboot.install.first_stage import readable
from chainboot.install.unpack import CHUNK, GZIP, LIMIT, ZSTD, CutOffError, Pieces, UntestedError, gunzip, unzstd
from chainboot.process import Runner

_CPIO = (b"070701", b"070702")
_HEADER = 110
_NAME_LIMIT = 4096
_END = b"TRAILER!!!"

# A file of firmware may be an ELF file for the processor of some device.
_FIRMWARE = ("lib/firmware/", "usr/lib/firmware/")


@dataclass(slots=True)
class _Contents:
    """What was seen. `releases` have a directory of modules, `modules` have modules in it. `foreign` are machines."""

    releases: set[str] = field(default_factory=set)
    modules: set[str] = field(default_factory=set)
    native: bool = False
    foreign: list[str] = field(default_factory=list)


def check_initrd(path: str, version: str | None, runner: Runner) -> tuple[str, ...]:
    """Notes on the initrd at `path`, which is to go with a kernel of `version` (None: not known).

    Raises `RefusedError` where it cannot boot, `NotFoundError` where it cannot be read.
    """
    seen = _Contents()
    notes: tuple[str, ...] = ()
    try:
        with readable(path), open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            _archives(Pieces(iter(lambda: file.read(CHUNK), b"")), seen, runner)
    except CutOffError as error:
        raise RefusedError(
            f"{path} cannot be installed: the initrd is cut off", hint="copy or build it again"
        ) from error
    except UntestedError as error:
        notes = (f"the initrd could not be tested whole: {error}",)
    problem = _problem(seen, version)
    if problem is None:
        return notes
    if notes:  # what was not seen may be what is missed here
        return (*notes, f"as far as it was seen, {problem}")
    raise RefusedError(f"{path} cannot be installed: {problem}", hint="build it for the kernel that it goes with")


def _problem(seen: _Contents, version: str | None) -> str | None:
    if seen.foreign and not seen.native:
        return f"the initrd is for {seen.foreign[0]}"
    if version and seen.modules and version not in seen.releases:
        return f"the initrd has modules for {', '.join(sorted(seen.modules))}, the kernel is {version}"
    return None


def _archives(data: Pieces, seen: _Contents, runner: Runner | None) -> None:
    """Every archive in `data`. Without a `runner` nothing compressed is taken: the kernel does not unpack twice."""
    while True:
        data.skip_zeros()
        head = data.peek(len(_CPIO[0]))
        if not head:
            return
        if head in _CPIO:
            _cpio(data, seen)
        elif runner is not None and head.startswith(GZIP):
            _unpacked(gunzip(data), seen)
        elif runner is not None and head.startswith(ZSTD):
            _unpacked(unzstd(data, runner), seen)
        else:
            raise UntestedError("it is compressed in a way that is not known here, or something follows its end")


def _unpacked(pieces: Iterator[bytes], seen: _Contents) -> None:
    inner = Pieces(pieces, LIMIT)
    try:
        _archives(inner, seen, None)
    finally:
        # To the end, so that a stream that is cut off is noticed whatever is in it.
        inner.drain()


def _cpio(data: Pieces, seen: _Contents) -> None:
    """One archive, up to its end mark and no farther."""
    while True:
        header = data.peek(_HEADER)
        if not header:
            return  # without an end mark: the kernel takes it
        try:
            size, length = int(header[54:62], 16), int(header[94:102], 16)
        except ValueError:
            size, length = 0, 0
        if len(header) < _HEADER or header[:6] not in _CPIO or not 0 < length <= _NAME_LIMIT:
            raise UntestedError("an archive in it is damaged, or ends too early")
        data.skip(_HEADER)
        name = data.read(length).rstrip(b"\0")
        data.skip(-(_HEADER + length) % 4)
        if name == _END:
            return
        start = data.peek(min(size, 20))
        _entry(name.decode("utf-8", "surrogateescape").removeprefix("./").lstrip("/"), start, seen)
        if data.skip(size) < size:
            raise UntestedError("an archive in it ends in the middle of a file")
        data.skip(-size % 4)


def _entry(name: str, start: bytes, seen: _Contents) -> None:
    parts = name.removeprefix("usr/").split("/")
    if parts[:2] == ["lib", "modules"] and len(parts) > 2:
        seen.releases.add(parts[2])
        if ".ko" in (parts[-1][-3:], os.path.splitext(parts[-1])[0][-3:]):  # x.ko, x.ko.xz
            seen.modules.add(parts[2])
    if start.startswith(b"\x7fELF") and len(start) == 20 and not name.startswith(_FIRMWARE):
        order = "big" if start[5] == 2 else "little"
        high, low = (18, 19) if order == "big" else (19, 18)
        machine = start[high] << 8 | start[low]
        if (machine, order) == (S390X.elf_machine, S390X.byte_order):
            seen.native = True
        else:
            known = (row.name for row in ARCHITECTURES if (row.elf_machine, row.byte_order) == (machine, order))
            seen.foreign.append(next(known, f"another machine (ELF machine {machine})"))
