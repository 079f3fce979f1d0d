"""The mark that a first stage leaves on the boot volume once it has loaded an entry and is about to jump.

It is the last that can be known here: whether the system behind the jump comes up, nobody tells. `chainboot install`
keeps the newest first stage with the mark as `chainboot-previous`. Knows where it lies; knows nothing of how it came
there.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress

from chainboot.boot.volume import PathError, Volume
from chainboot.boot.writable import OWN, writable
from chainboot.boot.writing import SYSTEM, System
from chainboot.errors import ChainbootError, reason
from chainboot.process import Runner
from chainboot.settings import RUNTIME, is_identifier
from chainboot.sync import sync_directory

PROVED = "proved"
FIRST_STAGES = "first-stage"

# As `boot.writable.own_directory` has it: the boot volume by itself, or /boot as a directory of the root.
_PLACES = (f"/{OWN}", f"/boot/{OWN}")

# Seconds to wait for others who read or write: somebody waits for the jump.
_PATIENCE = 3.0


def mark_proved(
    run: Runner, volumes: Iterable[Volume], installed: str, *, runtime: str = RUNTIME, system: System = SYSTEM
) -> str | None:
    """Leave the mark for the first stage `installed`; None, or a sentence on why it could not be left.

    Nothing is mounted or written where no volume has that first stage, or where it has the mark. Never raises. Call
    it after an entry has been loaded, without `boot.writable.reading` held.
    """
    if not is_identifier(installed):
        return None
    trouble: str | None = None
    for volume in volumes:
        place = _unmarked(volume, installed)
        if place is None:
            continue
        try:
            with writable(volume, run, runtime=runtime, patience=_PATIENCE) as root:
                _leave(f"{root}{place}", system)
        except ChainbootError as error:
            trouble = _sentence(installed, error.message)
        except OSError as error:
            trouble = _sentence(installed, f"{volume.name}: {reason(error)}")
    return trouble


def _sentence(installed: str, why: str) -> str:
    return f"first stage {installed} was not marked as one that works: {why}"


def _unmarked(volume: Volume, installed: str) -> str | None:
    """The path inside the volume of the first stage's directory, if it is there and without the mark."""
    for place in _PLACES:
        try:
            path = volume.follow(f"{place}/{FIRST_STAGES}/{installed}")
        except PathError:
            continue
        if os.path.isdir(volume.root + path) and not os.path.lexists(f"{volume.root}{path}/{PROVED}"):
            return path
    return None


def _leave(directory: str, system: System) -> None:
    """An empty file, which cannot be half there, down to the disk; raises `OSError`."""
    descriptor = system.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(FileExistsError):  # another session was faster
            mark = system.open(PROVED, os.O_WRONLY | os.O_CREAT | os.O_EXCL, descriptor)
            try:
                system.sync(mark)
            finally:
                system.close(mark)
        sync_directory(system.sync, descriptor)
    finally:
        system.close(descriptor)
