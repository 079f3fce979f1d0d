"""Putting a new text in the place of a file of a volume, so that after a power cut there is the old one or the new one.

A temporary file in the same directory, fsync, rename over the file, fsync. That is not all, because a power cut leaves
any part of what was not flushed, and because a boot loader does not replay the journal of the file system:

- The old file is held open until the new one is on the disk, so that FAT does not count its clusters as free.
- It also has a second name until then, where the file system has hard links: an ext4 whose directory still has the old
  file, as the disk shows it, must not have that file removed already.
- Where there are none, as on FAT, the temporary file has the longest name that there can be: for that there is no
  place in the directory before the old file. If both end up with the same clusters, because another program synced
  in between, a check of the file system takes them from the second.
- The directory is synced before the renamed file is (see `sync.sync_renamed`), and the journal of an ext4 is written
  to its places before and after the rename (see `sync.checkpoint`).

`make cuts` cuts all of it off everywhere, on ext4 and FAT.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from chainboot.boot.lock import try_lock
from chainboot.boot.volume import Volume, file_type
from chainboot.errors import RefusedError, reason
from chainboot.sync import checkpoint, sync_directory, sync_renamed


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

    def link(self, source: str, target: str, directory: int) -> None:
        """linkat(2), within one directory."""
        os.link(source, target, src_dir_fd=directory, dst_dir_fd=directory, follow_symlinks=False)

    def lock(self, descriptor: int) -> bool:
        """flock(2): whether it is ours alone now. Does not wait."""
        return try_lock(descriptor, fcntl.LOCK_EX)

    def names(self, directory: int) -> list[str]:
        """getdents(2)."""
        return os.listdir(directory)

    def checkpoint(self, descriptor: int) -> None:
        """See `sync.checkpoint`."""
        checkpoint(descriptor)


SYSTEM = System()

# And 16 hexadecimal digits: a temporary file, or the second name of an old one. Dashes fill it up to the longest name.
_TEMPORARY = ".chainboot-"
_LONGEST_NAME = 255

# FAT has no hard links; a file of another user may not be given one; there may be no more of them.
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


def replace_file(volume: Volume, path: str, before: bytes, after: bytes, system: System = SYSTEM) -> None:
    """Put `after` in the place of the file `path` of the volume, which still holds `before`. Raises `RefusedError`.

    Owner and mode stay. Links are followed inside the volume and stay links: the file at their end is replaced. A
    refusal leaves the file as it was and nothing beside it; only when a sync behind the rename fails the new text is
    there already, and the error says so.
    """
    real = volume.follow(path)
    place = volume.root + real
    if "/nix/store/" in os.path.realpath(place):
        raise RefusedError(f"{place} was not changed: it is in the Nix store, where nothing changes once it is built")
    parent, _, name = place.rpartition("/")
    with _refusals(place, volume), _opened(parent or "/", os.O_RDONLY | os.O_DIRECTORY, None, system) as directory:
        if not system.lock(directory):
            raise RefusedError(f"{place} was not changed: another chainboot is changing it just now")
        _tidy(directory, system)
        # Opened for writing, and not written: it says whether this user may, and whether it is immutable or read-only.
        with _opened(name, os.O_WRONLY | os.O_NONBLOCK, directory, system) as old:
            status = system.status(old)
            _check(place, status)
            second = _second_name(name, directory, system)
            try:
                temporary = _fresh_name() if second else _fresh_name().ljust(_LONGEST_NAME, "-")
                with _opened(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, directory, system) as new:
                    try:
                        _fill(new, after, status, system)
                        sync_directory(system.sync, directory)
                        system.checkpoint(directory)
                        if volume.read(real, len(before) + 1) != before:
                            raise RefusedError(f"{place} was not changed: another program has changed it just now")
                        system.rename(temporary, name, directory)
                    except BaseException:
                        _remove(temporary, directory, system)
                        raise
                    try:
                        sync_renamed(system.sync, directory, new)
                        system.checkpoint(directory)
                    except OSError as error:
                        what = f"{place} was changed, but a power cut may undo it: {reason(error)}"
                        raise RefusedError(what, hint="run sync, and look again") from error
            finally:
                _remove(second, directory, system)


@contextmanager
def _refusals(place: str, volume: Volume) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _refusal(place, volume, error) from error


@contextmanager
def _opened(path: str, flags: int, directory: int | None, system: System) -> Iterator[int]:
    descriptor = system.open(path, flags, directory)
    try:
        yield descriptor
    finally:
        with suppress(OSError):  # what is to be known about the disk, fsync has said
            system.close(descriptor)


def _check(place: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise RefusedError(f"{place} was not changed: it is {file_type(status.st_mode)}, not a file")
    if status.st_nlink > 1:
        names = f"{status.st_nlink} names (hard links)"
        raise RefusedError(f"{place} was not changed: it has {names}, and the others would keep the old text")


def _fresh_name() -> str:
    return f"{_TEMPORARY}{os.urandom(8).hex()}"


def _tidy(directory: int, system: System) -> None:
    """Remove what attempts have left that lost their power; the lock says that nobody is at it now."""
    for name in system.names(directory):
        digits, dashes = name[len(_TEMPORARY) :][:16], name[len(_TEMPORARY) + 16 :]
        ours = name.startswith(_TEMPORARY) and len(digits) == 16 and not digits.strip("0123456789abcdef")
        if ours and not dashes.strip("-"):
            _remove(name, directory, system)


def _fill(new: int, data: bytes, status: os.stat_result, system: System) -> None:
    """Write `data` into the new file, with owner and mode of the old one, down to the disk."""
    while data:
        data = data[system.write(new, data) :]
    _dress(new, status, system)
    system.sync(new)


def _second_name(name: str, directory: int, system: System) -> str:
    """A second name that the file has now; "" where it cannot have one."""
    second = _fresh_name()
    try:
        system.link(name, second, directory)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        return ""
    return second


def _dress(descriptor: int, wanted: os.stat_result, system: System) -> None:
    """Give the new file owner and mode of the old one. Only where they differ: FAT has none and refuses to set them."""
    found = system.status(descriptor)
    if (found.st_uid, found.st_gid) != (wanted.st_uid, wanted.st_gid):
        system.set_owner(descriptor, wanted.st_uid, wanted.st_gid)
    if found.st_mode != wanted.st_mode:  # after the owner: chown takes away set-user-ID
        system.set_mode(descriptor, stat.S_IMODE(wanted.st_mode))


def _remove(name: str, directory: int, system: System) -> None:
    """Remove a file of ours, if `name` is one ("" is none) and it can be."""
    if name:
        with suppress(OSError):
            system.remove(name, directory)


def _refusal(place: str, volume: Volume, error: OSError) -> RefusedError:
    if error.errno == errno.EROFS:
        hint = "remount it first: mount -o remount,rw"
        return RefusedError(f"{place} was not changed: {volume.name} is mounted read-only", hint=hint)
    if error.errno in (errno.EACCES, errno.EPERM):
        hint = "run the command as root; lsattr shows whether the file is immutable"
        return RefusedError(f"{place} was not changed: {reason(error)}", hint=hint)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        hint = "the new text needs room beside the old one until it is complete"
        return RefusedError(f"{place} was not changed: {volume.name} has no space left", hint=hint)
    return RefusedError(f"{place} was not changed: {reason(error)}")
