"""A file that is there whole or not at all: on the boot volume, over a power cut; in /run, for who reads meanwhile.

Like `boot.writing`, which replaces what a person wrote; this is for files of our own, which nobody else changes.
"""

from __future__ import annotations

import os
from contextlib import suppress

from chainboot.boot.writing import SYSTEM, System
from chainboot.sync import sync_directory

_TEMPORARY = ".chainboot-"


def own(path: str) -> int:
    """An open descriptor of the directory `path`, which only its owner may enter once it had to be made.

    Its parent must be there. Raises `OSError`, also where `path` is a symbolic link.
    """
    with suppress(FileExistsError):
        os.mkdir(path, 0o700)
    return SYSTEM.open(path, os.O_RDONLY | os.O_DIRECTORY)


def place(directory: int, name: str, data: bytes, system: System = SYSTEM) -> os.stat_result:
    """Put `data` into the file `name` of an open directory, for its owner only (0600), down to the disk; its status.

    Raises `OSError`; then the file is what it was, and nothing stands beside it. A file system without modes (FAT)
    gives it others, as the status says.
    """
    temporary = f"{_TEMPORARY}{os.urandom(8).hex()}"
    descriptor = system.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, directory)
    try:
        try:
            rest = data
            while rest:
                rest = rest[system.write(descriptor, rest) :]
            system.sync(descriptor)
            status = system.status(descriptor)
        finally:
            system.close(descriptor)
        system.rename(temporary, name, directory)
    except BaseException:
        with suppress(OSError):
            system.remove(temporary, directory)
        raise
    sync_directory(system.sync, directory)
    return status
