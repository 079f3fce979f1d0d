"""The record on its volume: reading it, and changing it so that after a power cut there is the old one or the new one.

A change is one write into the slot that does not count, and a sync: nothing is renamed, no space is needed, and
FAT does it as well as any other file system. Only the first record of a volume is made beside its place and renamed.
Two programs that change it at the same time do so one after the other (flock on the file). Knows nothing of what a
record means; the volume must be writable while it is changed.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from chainboot.boot import writing
from chainboot.boot.lock import try_lock
from chainboot.boot.volume import Configuration, PathError, Volume, file_type
from chainboot.boot.writable import own_directory
from chainboot.errors import RefusedError, reason
from chainboot.sync import sync_directory, sync_renamed
from chainboot.trial.record import FILE, Record
from chainboot.trial.slots import SEQUENCE_END, SIZE, SLOT, Decoded, decode, encode, target, tidy

# Seconds between two attempts to get the lock.
_LOCK_ATTEMPT = 0.05

_FRESH = f".{FILE}-new"


class System(writing.System):
    """The system calls of this module beside those of `boot.writing`, one method for each.

    `patience` is how many seconds to wait for another program that changes the record, which takes it one fsync.
    """

    patience = 10.0

    def read(self, descriptor: int, size: int) -> bytes:
        """Up to `size` bytes from the start of the file."""
        chunks: list[bytes] = []
        at = 0
        while at < size and (chunk := os.pread(descriptor, size - at, at)):
            chunks.append(chunk)
            at += len(chunk)
        return b"".join(chunks)

    def write_at(self, descriptor: int, data: bytes, at: int) -> int:
        """pwrite(2): the number of bytes that it took, which may be fewer than there are."""
        return os.pwrite(descriptor, data, at)

    def truncate(self, descriptor: int, size: int) -> None:
        """ftruncate(2)."""
        os.ftruncate(descriptor, size)

    def make_directory(self, name: str, directory: int) -> None:
        """mkdirat(2)."""
        os.mkdir(name, 0o755, dir_fd=directory)

    def lock(self, descriptor: int) -> bool:
        """flock(2): whether the file is ours alone now. Does not wait."""
        return try_lock(descriptor, fcntl.LOCK_EX)


SYSTEM = System()


@dataclass(frozen=True, slots=True)
class Reading:
    """What a volume says. `record` is None where trials are off: there is none (`missing`), or it cannot be used.

    `problems` are sentences. A file of which no slot is whole is an empty record.
    """

    record: Record | None
    problems: tuple[str, ...] = ()
    missing: bool = False


def place(configuration: Configuration) -> str:
    """The path inside its volume of the record for the entries of `configuration`.

    Configurations whose loader directories stand side by side share one.
    """
    return f"{own_directory(configuration)}/{FILE}"


def read(volume: Volume, path: str) -> Reading:
    """The record at `path` inside `volume`. Never raises."""
    try:
        data = volume.read(path, SIZE + 1)
    except PathError as error:
        return Reading(None, missing=True) if error.missing else Reading(None, (error.message,))
    decoded = decode(data)
    if decoded.record is None and not decoded.unknown_version:
        return Reading(Record(), decoded.problems)
    return Reading(decoded.record, decoded.problems)


def update(
    root: str, path: str, change: Callable[[Record], Record], system: System = SYSTEM, create: bool = False
) -> Record:
    """Write what `change` makes of the record at `path` below the mount point `root`; gives what is there now.

    `change` sees an empty record where no slot is whole, or where there is no file and `create` makes one; what it
    raises is passed on, and nothing is written then or where it changes nothing. Raises `RefusedError`: where there is
    no file, it cannot be written, or its version is not known. The record that was there is still there after it,
    except that after a failed fsync either may be; the error says so.
    """
    volume = Volume(root, root or "/")
    where = f"{root}{path}"
    try:
        return _change(where, _follow(volume, path), change, system)
    except FileNotFoundError:
        if not create:
            raise RefusedError(f"{where} was not changed: there is no record of trials") from None
    except OSError as error:
        raise _refusal(where, error) from error
    try:
        made = _create(volume, path, change, system)
        if made is not None:
            return made
        return _change(where, _follow(volume, path), change, system)  # another program was faster
    except OSError as error:
        raise _refusal(where, error) from error


def _follow(volume: Volume, path: str) -> str:
    """The place on this machine of a path of the volume, which no link leads out of."""
    try:
        return volume.root + volume.follow(path)
    except PathError as error:
        if error.missing:
            raise FileNotFoundError(errno.ENOENT, error.message) from error
        raise RefusedError(f"{volume.root}{path} was not changed: {error.message}") from error


def _change(where: str, real: str, change: Callable[[Record], Record], system: System) -> Record:
    # O_NONBLOCK: a device in place of the file must not hang the machine.
    descriptor = system.open(real, os.O_RDWR | os.O_NONBLOCK)
    try:
        status = system.status(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise RefusedError(f"{where} was not changed: it is {file_type(status.st_mode)}, not a file")
        _lock(where, descriptor, system)
        decoded = decode(system.read(descriptor, SIZE + 1))
        before = decoded.record or Record()
        after = _after(where, decoded, before, change)
        if after == before:
            return before
        slot = target(decoded)
        if status.st_size > SIZE:  # what is there never counted
            system.truncate(descriptor, SIZE)
        _put(where, descriptor, slot, after, system)
        if after.sequence < before.sequence:  # begun anew: until the other slot follows, the old one counts
            after = replace(after, sequence=after.sequence + 1)
            _put(where, descriptor, 1 - slot, after, system)
        return after
    finally:
        with suppress(OSError):
            system.close(descriptor)  # which frees the lock


def _put(where: str, descriptor: int, slot: int, record: Record, system: System) -> None:
    """A slot, down to the disk."""
    _write_all(descriptor, encode(record), slot * SLOT, system)
    with _undoable(f"{where} was changed"):
        system.sync(descriptor)
        system.checkpoint(descriptor)  # with data=journal the slot itself is in the journal


def _write_all(descriptor: int, data: bytes, at: int, system: System) -> None:
    while data:
        written = system.write_at(descriptor, data, at)
        data, at = data[written:], at + written


def _after(where: str, decoded: Decoded, before: Record, change: Callable[[Record], Record]) -> Record:
    if decoded.unknown_version:
        hint = "use that chainboot, or remove the file"
        raise RefusedError(f"{where} was not changed: another version of chainboot wrote it", hint=hint)
    after = tidy(replace(change(before), sequence=before.sequence))
    if after == before:
        return before
    # Whoever could write here once must not have the last word: at the end it begins anew.
    return replace(after, sequence=before.sequence + 1 if before.sequence + 1 < SEQUENCE_END else 1)


def _create(volume: Volume, path: str, change: Callable[[Record], Record], system: System) -> Record | None:
    """The first record, down to the disk; None where another program has made one in the meantime."""
    parent, _, name = path.rpartition("/")
    after = tidy(replace(change(Record()), sequence=0))
    if after == Record():
        return after
    directory = _directory(volume, parent, system)
    try:
        _lock(volume.root + path, directory, system)
        with suppress(FileNotFoundError):
            _follow(volume, path)
            return None
        with suppress(FileNotFoundError):
            system.remove(_FRESH, directory)  # what a power cut has left
        descriptor = system.open(_FRESH, os.O_WRONLY | os.O_CREAT | os.O_EXCL, directory)
        try:
            # Both slots, so that neither counts as damaged; the one with the higher sequence is the second.
            after = replace(after, sequence=1)
            _write_all(descriptor, encode(replace(after, sequence=0)) + encode(after), 0, system)
            system.sync(descriptor)
            system.rename(_FRESH, name, directory)
            with _undoable(f"{volume.root}{path} was made"):
                sync_renamed(system.sync, directory, descriptor)
                system.checkpoint(directory)
        except OSError:
            with suppress(OSError):
                system.remove(_FRESH, directory)
            raise
        finally:
            with suppress(OSError):
                system.close(descriptor)
        return after
    finally:
        with suppress(OSError):
            system.close(directory)


def _directory(volume: Volume, path: str, system: System) -> int:
    """The directory at `path`, open; made where only its last part is missing."""
    flags = os.O_RDONLY | os.O_DIRECTORY
    try:
        return system.open(_follow(volume, path), flags)
    except FileNotFoundError:
        above, _, name = path.rpartition("/")
    outer = system.open(_follow(volume, above), flags)
    try:
        with suppress(FileExistsError):
            system.make_directory(name, outer)
            sync_directory(system.sync, outer)
        return system.open(name, flags, outer)
    finally:
        with suppress(OSError):
            system.close(outer)


def _lock(where: str, descriptor: int, system: System) -> None:
    end = time.monotonic() + system.patience
    while not system.lock(descriptor):
        if time.monotonic() >= end:
            raise RefusedError(f"{where} was not changed: another program changes it since {system.patience:g} s")
        time.sleep(_LOCK_ATTEMPT)


@contextmanager
def _undoable(done: str) -> Iterator[None]:
    """An error of the last sync: what was `done` is there, but perhaps not on the disk."""
    try:
        yield
    except OSError as error:
        hint = "run sync, and look again"
        raise RefusedError(f"{done}, but a power cut may undo it: {reason(error)}", hint=hint) from error


def _refusal(where: str, error: OSError) -> RefusedError:
    if error.errno == errno.EROFS:
        return RefusedError(f"{where} was not changed: it is on a volume that is mounted read-only")
    if error.errno in (errno.EACCES, errno.EPERM):
        return RefusedError(f"{where} was not changed: {reason(error)}", hint="run the command as root")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return RefusedError(f"{where} was not changed: its volume has no space left")
    if error.errno == errno.ELOOP:
        return RefusedError(f"{where} was not changed: it is a symbolic link")
    return RefusedError(f"{where} was not changed: {reason(error)}")
