"""What a file on a scenario's disk holds, declared without knowing where any of it comes from.

Pure data. `payload.py` says what the payload is, `disks.py` writes it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kernel:
    """The kernel image of the sysroot."""


@dataclass(frozen=True, slots=True)
class PayloadBase:
    """The initrd that every payload shares: busybox and an /init that says what was booted."""


@dataclass(frozen=True, slots=True)
class GenerationMark:
    """A cpio archive with one file, by which the payload knows its generation."""

    generation: str


@dataclass(frozen=True, slots=True)
class Joined:
    """Several contents, one after the other."""

    parts: tuple[Contents, ...]


@dataclass(frozen=True, slots=True)
class Truncated:
    """The first `size` bytes of other contents, as a power cut while copying leaves them."""

    of: Contents
    size: int


@dataclass(frozen=True, slots=True)
class SysrootFile:
    """A file of the sysroot, such as its busybox. `path` has no leading slash."""

    path: str


@dataclass(frozen=True, slots=True)
class Executable:
    """A file that may be run."""

    of: Contents


@dataclass(frozen=True, slots=True)
class Symlink:
    """A symbolic link; `target` is written as it is."""

    target: str


@dataclass(frozen=True, slots=True)
class Directory:
    """An empty directory. Those that hold files need not be named."""


Contents = str | bytes | Kernel | PayloadBase | GenerationMark | Joined | Truncated | SysrootFile
Node = Contents | Executable | Symlink | Directory


def payload_initrd(generation: str) -> Joined:
    """The initrd of one generation. A wrong one would say another generation, or none."""
    return Joined((PayloadBase(), GenerationMark(generation)))
