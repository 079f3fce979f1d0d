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
class SystemBase:
    """The initrd of a payload that has chainboot: the first stage's image with another /init."""


@dataclass(frozen=True, slots=True)
class SystemdOverlay:
    """What makes Debian's systemd the first process of a `SystemBase`, and the units of chainboot."""


@dataclass(frozen=True, slots=True)
class GenerationMark:
    """A cpio archive by which the payload knows its generation, and what it does by itself: commands of a shell."""

    generation: str
    behaviour: str = ""


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


Contents = (
    str | bytes | Kernel | PayloadBase | SystemBase | SystemdOverlay | GenerationMark | Joined | Truncated | SysrootFile
)
Node = Contents | Executable | Symlink | Directory


def payload_initrd(generation: str, behaviour: str = "") -> Joined:
    """The initrd of one generation. A wrong one would say another generation, or none."""
    return Joined((PayloadBase(), GenerationMark(generation, behaviour)))


def system_initrd(generation: str, behaviour: str = "") -> Joined:
    """The same of a generation that has chainboot. The base ends in an uncompressed archive, so the mark may follow."""
    return Joined((SystemBase(), GenerationMark(generation, behaviour)))


def systemd_initrd() -> Joined:
    """The initrd of generations that have systemd too. It says and does what its kernel command line tells."""
    return Joined((SystemBase(), SystemdOverlay()))
