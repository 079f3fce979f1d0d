"""What earlier installs have left on the boot volume. Reads, and writes nothing."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass

from chainboot.boot.proved import PROVED
from chainboot.errors import RefusedError, reason
from chainboot.install.first_stage import digest
from chainboot.install.layout import (
    BOOTMAP,
    COMMITTED,
    FIRST_STAGE,
    INITRD,
    KERNEL,
    PARAMETERS,
    PREVIOUS,
    Layout,
    identifier,
    is_damaged,
    is_number,
    is_rest,
    unmarked,
)
from chainboot.settings import is_identifier

# Of a small text of our own: parameters have less than 1 KiB.
_TEXT_LIMIT = 1 << 16


@dataclass(frozen=True, slots=True)
class FirstStage:
    """A first stage on the volume.

    `number` is that of the last install that has put it on the disk and ended, 0 where none has. `proved`: it has
    booted something. `parameters` are without the mark, None where they cannot be read.
    """

    name: str
    number: int
    proved: bool
    parameters: str | None


@dataclass(frozen=True, slots=True)
class Install:
    """One run of zipl. `mapped`: there is a bootmap, so the disk may lead to it and to the first stages `names`.

    `names` is None where they cannot be read.
    """

    number: int
    mapped: bool
    names: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Target:
    """The boot volume. `rests` are directories that nothing leads to, `damaged` first stages that were put aside.

    `present` are the directories of our own that are there already.
    """

    layout: Layout
    first_stages: tuple[FirstStage, ...] = ()
    installs: tuple[Install, ...] = ()
    rests: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()
    present: frozenset[str] = frozenset()

    @property
    def next_number(self) -> int:
        """The number of the next install: higher than any that can be seen."""
        seen = [install.number for install in self.installs] + [stage.number for stage in self.first_stages]
        return max(seen, default=0) + 1

    @property
    def current(self) -> FirstStage | None:
        """The first stage of the last install that has ended."""
        ended = [stage for stage in self.first_stages if stage.number]
        return max(ended, key=lambda stage: stage.number, default=None)

    @property
    def unreachable(self) -> tuple[str, ...]:
        """Directories that the disk surely does not lead to: they may go before anything else is done.

        Besides the rests those are what an install has left that did not get to its bootmap: its directory, and a first
        stage that no other install names. Where one with a bootmap cannot be read, every first stage stays.
        """
        maps = [install for install in self.installs if install.mapped]
        rests = [*self.rests, *(self.layout.install(each.number) for each in self.installs if not each.mapped)]
        needed: set[str] = set()
        for each in maps:
            if each.names is None:
                return tuple(rests)
            needed |= each.names
        unused = (each for each in self.first_stages if not (each.number or each.proved or each.name in needed))
        return (*rests, *(self.layout.first_stage(each.name) for each in unused))

    def previous(self, new: str, intact: Callable[[FirstStage], bool]) -> FirstStage | None:
        """The first stage to keep beside `new`: the newest that is proved, else the newest that was installed."""
        among = [stage for stage in self.first_stages if stage.name != new and (stage.proved or stage.number)]
        order = sorted(among, key=lambda stage: (stage.proved, stage.number), reverse=True)
        return next((stage for stage in order if intact(stage)), None)


def read_target(layout: Layout) -> Target:
    """What is there. Raises `RefusedError` where something stands in the place of a directory of ours."""
    present = frozenset(path for path in (layout.own, layout.first_stages, layout.installs) if _is_directory(path))
    first_stages: list[FirstStage] = []
    installs: list[Install] = []
    rests: list[str] = []
    damaged: list[str] = []
    for directory in (layout.first_stages, layout.installs):
        for name in sorted(os.listdir(directory)) if directory in present else ():
            path = f"{directory}/{name}"
            if is_rest(name):
                rests.append(path)
            elif directory == layout.first_stages and is_damaged(name):
                damaged.append(path)
            elif directory == layout.first_stages and is_identifier(name) and _is_directory(path):
                first_stages.append(_first_stage(path, name))
            elif directory == layout.installs and is_number(name) and _is_directory(path):
                installs.append(_install(path, int(name)))
    return Target(layout, tuple(first_stages), tuple(installs), tuple(rests), tuple(damaged), present)


def is_intact(layout: Layout, stage: FirstStage) -> bool:
    """Whether a first stage still holds what its id was made of: reads all of it."""
    if stage.parameters is None:
        return False
    path = layout.first_stage(stage.name)
    try:
        kernel, initrd = digest(f"{path}/{KERNEL}"), digest(f"{path}/{INITRD}")
    except OSError:
        return False
    return identifier(kernel[1], initrd[1], stage.parameters) == stage.name


def size_of(path: str) -> int:
    """Bytes that a directory of ours takes on the disk; what has a second name elsewhere frees nothing."""
    total = 0
    for place, _, names in os.walk(path):
        for name in names:
            try:
                status = os.lstat(f"{place}/{name}")
            except OSError:
                continue
            total += status.st_blocks * 512 if status.st_nlink == 1 else 0
    return total


def _is_directory(path: str) -> bool:
    """False where there is nothing; raises `RefusedError` where there is something else, a link among it."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return False
    except OSError as error:
        raise RefusedError(f"{path} cannot be read: {reason(error)}") from error
    if not stat.S_ISDIR(mode):
        what = "a symbolic link" if stat.S_ISLNK(mode) else "no directory"
        raise RefusedError(f"{path} is {what}, and chainboot did not make it", hint="move it away, then try again")
    return True


def _first_stage(path: str, name: str) -> FirstStage:
    number = (_text(f"{path}/{COMMITTED}") or "").strip()
    parameters = _text(f"{path}/{PARAMETERS}")
    return FirstStage(
        name,
        int(number) if is_number(number) else 0,
        os.path.lexists(f"{path}/{PROVED}"),
        None if parameters is None else unmarked(parameters),
    )


def _install(path: str, number: int) -> Install:
    mapped = any(name.startswith(BOOTMAP) for name in os.listdir(path))
    found = [_text(f"{path}/{FIRST_STAGE}"), _text(f"{path}/{PREVIOUS}")]
    names = [text.strip() for text in found if text is not None]
    readable = found[0] is not None and all(is_identifier(name) for name in names)
    return Install(number, mapped, frozenset(names) if readable else None)


def _text(path: str) -> str | None:
    """A small file of our own; None where it cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        with open(descriptor, encoding="utf-8", errors="surrogateescape", newline="") as file:
            return file.read(_TEXT_LIMIT)
    except OSError:
        return None
