"""Putting a new text in the place of a file of a volume, so that after a power cut there is the old one or the new one.

A temporary file in the same directory, fsync, rename over the file, fsync of the directory: rename(2) is atomic on
every file system with a journal. (On FAT the kernel updates two directory entries; a power cut between them can lose
the name, and no program can do better there.)
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress

from chainboot.boot.volume import Volume, file_type
from chainboot.errors import RefusedError
from chainboot.sync import sync_directory


class System:
    """The system calls of this module, one method for each, so that a test can let any of them fail."""

    def open(self, path: str, flags: int, directory: int | None = None) -> int:
        """open(2), or openat(2) with `directory`. What it creates, only its owner can read."""
        return os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600, dir_fd=directory)

    def status(self, descriptor: int) -> os.stat_result:
        """fstat(2)."""
        return os.fstat(descriptor)

    def write(self, descriptor: int, data: bytes) -> int:
        """write(2): the number of bytes that it took, which may be fewer than there are."""
        return os.write(descriptor, data)

    def set_owner(self, descriptor: int, user: int, group: int) -> None:
        """fchown(2)."""
        os.fchown(descriptor, user, group)

    def set_mode(self, descriptor: int, mode: int) -> None:
        """fchmod(2)."""
        os.fchmod(descriptor, mode)

    def sync(self, descriptor: int) -> None:
        """fsync(2)."""
        os.fsync(descriptor)

    def close(self, descriptor: int) -> None:
        """close(2)."""
        os.close(descriptor)

    def rename(self, source: str, target: str, directory: int) -> None:
        """renameat(2), within one directory."""
        os.rename(source, target, src_dir_fd=directory, dst_dir_fd=directory)

    def remove(self, name: str, directory: int) -> None:
        """unlinkat(2)."""
        os.unlink(name, dir_fd=directory)


SYSTEM = System()

_TEMPORARY = ".chainboot-"


def replace_file(volume: Volume, path: str, before: bytes, after: bytes, system: System = SYSTEM) -> None:
    """Put `after` in the place of the file `path` of the volume, which still holds `before`. Raises `RefusedError`.

    Owner and mode stay. Links are followed inside the volume and stay links: the file at their end is replaced. A
    refusal leaves the file as it was and nothing beside it; only when the last fsync fails the new text is there
    already, and the error says so.
    """
    real = volume.follow(path)
    place = volume.root + real
    if "/nix/store/" in os.path.realpath(place):
        raise RefusedError(f"{place} was not changed: it is in the Nix store, where nothing changes once it is built")
    parent, _, name = place.rpartition("/")
    try:
        directory = system.open(parent or "/", os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise _refusal(place, volume, error) from error
    try:
        try:
            temporary = _prepare(place, name, after, directory, system)
        except OSError as error:
            raise _refusal(place, volume, error) from error
        try:
            if volume.read(real, len(before) + 1) != before:
                raise RefusedError(f"{place} was not changed: another program has changed it just now")
            system.rename(temporary, name, directory)
        except BaseException as error:
            _remove(temporary, directory, system)
            if isinstance(error, OSError):
                raise _refusal(place, volume, error) from error
            raise
        _sync_directory(place, directory, system)
    finally:
        with suppress(OSError):
            system.close(directory)


def _prepare(place: str, name: str, data: bytes, directory: int, system: System) -> str:
    """Write `data` to a new file in the directory, down to the disk; its name. Nothing is left where that fails."""
    # Opened for writing, and not written: it says whether this user may, and whether it is immutable or read-only.
    old = system.open(name, os.O_WRONLY | os.O_NONBLOCK, directory)
    try:
        status = system.status(old)
    finally:
        system.close(old)
    if not stat.S_ISREG(status.st_mode):
        raise RefusedError(f"{place} was not changed: it is {file_type(status.st_mode)}, not a file")
    if status.st_nlink > 1:
        names = f"{status.st_nlink} names (hard links)"
        raise RefusedError(f"{place} was not changed: it has {names}, and the others would keep the old text")
    temporary = f"{_TEMPORARY}{os.urandom(8).hex()}"
    new = system.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, directory)
    closed = False
    try:
        rest = data
        while rest:
            rest = rest[system.write(new, rest) :]
        _dress(new, status, system)
        system.sync(new)
        closed = True  # whatever close says, the descriptor is gone after it
        system.close(new)
    except BaseException:
        if not closed:
            with suppress(OSError):
                system.close(new)
        _remove(temporary, directory, system)
        raise
    return temporary


def _dress(descriptor: int, wanted: os.stat_result, system: System) -> None:
    """Give the new file owner and mode of the old one. Only where they differ: FAT has none and refuses to set them."""
    found = system.status(descriptor)
    if (found.st_uid, found.st_gid) != (wanted.st_uid, wanted.st_gid):
        system.set_owner(descriptor, wanted.st_uid, wanted.st_gid)
    if found.st_mode != wanted.st_mode:  # after the owner: chown takes away set-user-ID
        system.set_mode(descriptor, stat.S_IMODE(wanted.st_mode))


def _remove(temporary: str, directory: int, system: System) -> None:
    with suppress(OSError):
        system.remove(temporary, directory)


def _sync_directory(place: str, directory: int, system: System) -> None:
    try:
        sync_directory(system.sync, directory)
    except OSError as error:
        raise RefusedError(
            f"{place} was changed, but a power cut may undo it: {_reason(error)}", hint="run sync, and look again"
        ) from error


def _refusal(place: str, volume: Volume, error: OSError) -> RefusedError:
    if error.errno == errno.EROFS:
        hint = "remount it first: mount -o remount,rw"
        return RefusedError(f"{place} was not changed: {volume.name} is mounted read-only", hint=hint)
    if error.errno in (errno.EACCES, errno.EPERM):
        hint = "run the command as root; lsattr shows whether the file is immutable"
        return RefusedError(f"{place} was not changed: {_reason(error)}", hint=hint)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        hint = "the new text needs room beside the old one until it is complete"
        return RefusedError(f"{place} was not changed: {volume.name} has no space left", hint=hint)
    return RefusedError(f"{place} was not changed: {_reason(error)}")


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
