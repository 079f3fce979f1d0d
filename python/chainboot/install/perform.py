"""Carries out an InstallPlan: the only place of the installer that acts.

Whatever fails before the boot record is written, what was made for it is removed again. Once zipl has been told to
write it nothing is removed any more, unless it says that it has done so: the disk may lead to the old record or to the
new one.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

from chainboot.boot.initrd import padding
from chainboot.boot.plan import Concatenate
from chainboot.errors import ChainbootError, RefusedError, reason
from chainboot.install.plan import InstallPlan
from chainboot.install.step import (
    PRIVATE,
    Command,
    Copy,
    Join,
    Link,
    MakeDirectory,
    Remove,
    Rename,
    Step,
    Sync,
    SyncAll,
    Write,
    WriteThrough,
)
from chainboot.install.system import DIRSYNC_FLAG, SYNC_FLAG, SYSTEM, System
from chainboot.process import Runner
from chainboot.sync import sync_directory

Say = Callable[[str], None]

# Seconds for one run of zipl, which reads every block number of some 100 MiB and waits for the disk.
_ZIPL_S = 600.0

# zipl ends well all the same when it has written the boot record, and could not sync it (zipl/src/install.c).
_NOT_SYNCED = "Could not sync device file"

_CHUNK = 1 << 20

_UNCHANGED = "the machine boots as before"
_EITHER = "the machine may start the old first stage or the new one, and both are complete"
_AGAIN = "nothing was removed: run it again"


def perform(plan: InstallPlan, run: Runner, say: Say, system: System = SYSTEM) -> None:
    """Install. Says each step before it is done.

    Raises `RefusedError`: its message says what failed and which first stage the machine has now.
    """
    worker = _Worker(run, say, system)
    try:
        worker.take(plan.check)
    except ChainbootError as error:
        raise RefusedError(f"{error.message}; {_UNCHANGED}", hint="zipl belongs to s390-tools") from error
    try:
        worker.take((*plan.clean_up, *plan.prepare, *plan.rehearse))
    except BaseException as error:
        worker.undo()
        if isinstance(error, ChainbootError):
            raise RefusedError(f"{error.message}; {_UNCHANGED}", hint=error.hint) from error
        raise
    try:
        worker.take(plan.commit)
    except ChainbootError as error:
        raise RefusedError(f"{error.message}; {_EITHER}", hint=_AGAIN) from error
    except BaseException:  # Ctrl-C
        say(f"{_EITHER}; {_AGAIN}")
        raise
    try:
        worker.take(plan.record)
    except ChainbootError as error:
        raise RefusedError(f"{error.message}; the new first stage is installed all the same", hint=_AGAIN) from error
    last: tuple[Step, ...] = (*plan.tidy, *plan.panic)
    for step in last:
        try:
            worker.take((step,))
        except ChainbootError as error:
            say(f"{error.message}; the next install tries again")


class _Worker:
    """Takes steps, and remembers what it has made."""

    def __init__(self, run: Runner, say: Say, calls: System) -> None:
        self.run, self.say, self.calls = run, say, calls
        self.made: list[str] = []

    def take(self, steps: Iterable[Step]) -> None:
        """Do the steps; raises `ChainbootError`, which names the one that failed."""
        for step in steps:
            if not isinstance(step, Sync):
                self.say(step.describe())
            try:
                self._act(step)
            except OSError as error:
                hint = "make room on the boot volume" if error.errno in (errno.ENOSPC, errno.EDQUOT) else None
                raise RefusedError(f"{step.describe()}: {reason(error)}", hint=hint) from error

    def _act(self, step: Step) -> None:
        match step:
            case MakeDirectory(path):
                self._make(path)
            case Copy(source, target, _, digest):
                self._copy(source, target, digest)
            case Link(source, target):
                self._link(source, target)
            case Join(files):
                self._fill(files.target, _joined(files))
            case Write(path, text, mode):
                self._write(path, text, mode)
            case Rename(source, target):
                if source in self.made:
                    self.made.append(target)
                self.calls.rename(source, target)
            case Sync(path):
                self._sync(path)
            case WriteThrough(path):
                self._write_through(path)
            case SyncAll():
                self.calls.sync_all()
            case Command(argv):
                if _NOT_SYNCED in self.run(argv, check=True, timeout=_ZIPL_S).stderr:
                    raise RefusedError(f"{argv[0]} could not write all of it to the disk")
            case Remove(path):
                self._remove(path)

    def undo(self) -> None:
        """Remove what was made, newest first. What cannot be removed is for the next install."""
        for path in reversed(self.made):
            with suppress(OSError):
                self._remove(path)

    def _make(self, path: str) -> None:
        # Noted before: an interrupt may come between any two lines.
        self.made.append(path)
        try:
            self.calls.make_directory(path)
        except FileExistsError:
            self.made.remove(path)  # it is somebody else's
            raise

    def _copy(self, source: str, target: str, digest: bytes) -> None:
        import hashlib

        found = hashlib.sha256()

        def pieces() -> Iterator[bytes]:
            for piece in _pieces(source):
                found.update(piece)
                yield piece

        self._fill(target, pieces())
        if digest and found.digest() != digest:
            raise RefusedError(f"{source} was changed while it was copied", hint="try again")

    def _link(self, source: str, target: str) -> None:
        try:
            self.calls.link(source, target)
        except OSError as error:
            # link(2): another file system, one without links, too many links.
            if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP):
                raise
            self._copy(source, target, b"")
        else:
            self._sync(target)  # whoever wrote it may have left it in memory

    def _write(self, path: str, text: str, mode: int) -> None:
        temporary = f"{path}.new"
        if os.path.lexists(temporary):
            self.calls.remove_file(temporary)
        self._fill(temporary, iter((text.encode("utf-8", "surrogateescape"),)), mode)
        self.calls.rename(temporary, path)

    def _fill(self, path: str, pieces: Iterator[bytes], mode: int = PRIVATE) -> None:
        """Write `pieces` into a new file, down to the disk."""
        descriptor = self.calls.create(path)
        try:
            if mode != PRIVATE:
                self.calls.change_mode(descriptor, mode)
            for piece in pieces:
                rest = piece
                while rest:
                    rest = rest[self.calls.write(descriptor, rest) :]
            self.calls.sync(descriptor)
        finally:
            self.calls.close(descriptor)

    def _sync(self, path: str) -> None:
        descriptor = self.calls.open(path)
        try:
            sync_directory(self.calls.sync, descriptor)
        finally:
            self.calls.close(descriptor)

    def _write_through(self, path: str) -> None:
        """zipl (before 2.3x) does not sync its bootmap: after a power cut its blocks would count as free."""
        descriptor = self.calls.open(path)
        try:
            try:
                self.calls.add_flags(descriptor, SYNC_FLAG | DIRSYNC_FLAG)
            except OSError:
                # xfs knows no DIRSYNC. The bootmap may then keep zipl's temporary name, and is there all the same.
                self.calls.add_flags(descriptor, SYNC_FLAG)
        except OSError:
            self.say("this file system cannot write through: a power cut in the next seconds may cost the boot record")
        finally:
            self.calls.close(descriptor)

    def _remove(self, path: str) -> None:
        try:
            kind = os.lstat(path).st_mode
        except FileNotFoundError:
            return
        if not stat.S_ISDIR(kind):
            self.calls.remove_file(path)
            return
        if not path.endswith((".new", ".old")):
            aside = f"{path}.old"
            if os.path.lexists(aside):
                self._remove(aside)
            self.calls.rename(path, aside)
            self._sync(os.path.dirname(path))
            path = aside
        for name in sorted(os.listdir(path)):
            inner = f"{path}/{name}"
            if stat.S_ISDIR(os.lstat(inner).st_mode):
                self._remove(f"{inner}")
            else:
                self.calls.remove_file(inner)
        self.calls.remove_directory(path)


def _pieces(path: str, skip: int = 0) -> Iterator[bytes]:
    with open(path, "rb", buffering=0) as file:
        file.seek(skip)
        while piece := file.read(_CHUNK):
            yield piece


def _joined(files: Concatenate) -> Iterator[bytes]:
    """What the kernel takes as one initrd: each part padded, as `boot.kexec.concatenate` does it."""
    for part in files.parts:
        size = 0
        for piece in _pieces(part.path, part.skip):
            size += len(piece)
            yield piece
        yield padding(size)
