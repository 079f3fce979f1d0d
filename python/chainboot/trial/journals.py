"""Which systemd journal of the mounted volumes was written last. Knows where systemd keeps them; reads no message."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from chainboot.boot.volume import PathError, Volume
from chainboot.text import printable
from chainboot.trial.journal import HEADER, Journal, read_tail, tail_time

# On a root file system, and on a /var of its own.
DIRECTORIES = ("/var/log/journal", "/log/journal")

# Directories of machines, and files in each, that are looked at.
_MACHINES = 16
_FILES = 256


@dataclass(frozen=True, slots=True)
class JournalFile:
    """A journal. `time` is when its last entry was written, in seconds since 1970, 0 where that is not known."""

    volume: Volume
    path: str
    time: int

    @property
    def name(self) -> str:
        """What a person calls it."""
        return printable(f"{self.path} of {self.volume.name}")

    def tail(self, count: int) -> Journal:
        """The last `count` messages of its last boot."""
        return read_tail(lambda offset, length: self.volume.read(self.path, length, offset), count)


def newest(volumes: Sequence[Volume]) -> JournalFile | None:
    """The system's journal that was written last; None where there is none. Never raises."""
    found = [file for volume in volumes for directory in DIRECTORIES for file in _files(volume, directory)]
    # With equal times (a clock that stands still) the file that is written to, before those that were put away.
    return max(found, key=lambda file: (file.time, file.path.endswith("/system.journal")), default=None)


def _files(volume: Volume, directory: str) -> list[JournalFile]:
    found: list[JournalFile] = []
    for machine in _names(volume, directory, _MACHINES):
        if len(machine) != 32 or not set(machine) <= set("0123456789abcdef"):
            continue
        for name in _names(volume, f"{directory}/{machine}", _FILES):
            # system.journal; system@....journal, put away; ....journal~, found damaged. Users have others.
            if not name.startswith(("system.", "system@")) or not name.endswith((".journal", ".journal~")):
                continue
            path = f"{directory}/{machine}/{name}"
            try:
                seconds = tail_time(volume.read(path, HEADER))
            except PathError:
                continue
            if seconds >= 0:
                found.append(JournalFile(volume, path, seconds))
    return found


def _names(volume: Volume, directory: str, most: int) -> tuple[str, ...]:
    names: list[str] = []
    try:
        with os.scandir(volume.root + volume.follow(directory)) as entries:
            for entry in entries:
                names.append(entry.name)
                if len(names) >= most:
                    break
    except (PathError, OSError):
        return ()
    return tuple(sorted(names))
