"""What only its owner may know, put behind an initrd that everybody may read: a second, small archive.

The kernel unpacks archives one after the other, each at a multiple of four bytes, and a file of a later one replaces
that of an earlier one (Documentation/driver-api/early-userspace/buffer-format.rst, init/initramfs.c). So an image can
come out of a build that keeps no secrets, such as Nix's, and the keys join it on the machine that it is for.
"""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from chainboot.boot.initrd import HEAD_SIZE, is_initrd, padding
from chainboot.errors import ChainbootError, NotFoundError, RefusedError, reason
from chainboot.image.access import HOST_KEY_FILE, AddedFile
from chainboot.image.cpio import Directory, File, Node, pack
from chainboot.sync import sync_directory

_CHUNK = 1 << 20
_STORE = "/nix/store/"


class System:
    """Two system calls of this module, so that a test can tell another story."""

    def mode(self, descriptor: int) -> int:
        """The permission bits that the file system has given a file."""
        return stat.S_IMODE(os.fstat(descriptor).st_mode)

    def sync(self, descriptor: int) -> None:
        """fsync(2)."""
        os.fsync(descriptor)


SYSTEM = System()


def append_secrets(
    initrd: Path, output: Path, files: Sequence[AddedFile], say: Callable[[str], None], system: System = SYSTEM
) -> str:
    """Write `initrd` with `files` behind it to `output`, and return a line on it. `say` is for what is unwise.

    `output` can be read by its owner alone, from its first byte on, and is there whole or not at all. Raises a
    `ChainbootError`: for what is no initrd, for an output in the Nix store or on a file system where everybody could
    read a host key, and where something cannot be read or written.
    """
    if not files:
        raise ChainbootError(
            "there is nothing to append", hint="give --host-key, --authorized-keys or --settings, or several of them"
        )
    behind = archive(files)
    if f"{os.path.realpath(output.parent)}/".startswith(_STORE):
        raise RefusedError(
            f"{output} was not written: everybody can read what is in the Nix store",
            hint="append secrets on the machine that they are for, to a file outside of the store",
        )
    with _opened(initrd) as source:
        if output.exists() and os.path.samestat(os.fstat(source), os.stat(output)):
            raise RefusedError(
                f"{output} is the initrd itself, and what was appended to it before would stay in it",
                hint="keep the initrd as it was built, and give --output another name",
            )
        with _ended_properly(), _replacing(output, system) as target:
            if system.mode(target) & 0o077:
                _readable(output, files, say)
            size = _copy(source, target, initrd)
            _write(target, padding(size) + behind)
    return f"{output}: {size} bytes of {initrd.name}, and behind them {', '.join(file.target for file in files)}"


def warn_of_store(files: Sequence[Path], say: Callable[[str], None]) -> None:
    """Say which of these private `files` lie where everybody can read them for ever."""
    for file in files:
        if os.path.realpath(file).startswith(_STORE):
            say(f"{file} is in the Nix store, where everybody can read it: make a new key outside of it")


def archive(files: Sequence[AddedFile]) -> bytes:
    """The archive with `files` and the directories above them, to stand behind an initrd and its padding."""
    directories = {str(parent) for file in files for parent in Path(file.target).parents} - {"/"}
    nodes: list[tuple[str, Node]] = [(path, Directory(0o755)) for path in directories]
    return b"".join(pack([*nodes, *((file.target, File(file.mode, file.data)) for file in files)]))


def _readable(output: Path, files: Sequence[AddedFile], say: Callable[[str], None]) -> None:
    """The file system has given the new file its own idea of permissions, as FAT does."""
    if any(file.target == HOST_KEY_FILE for file in files):
        raise RefusedError(
            f"{output} was not written: on this file system everybody could read the host key",
            hint="mount it with umask=0077, or let the first stage make its own key: leave out --host-key",
        )
    say(f"{output} lies on a file system where everybody can read it")


@contextmanager
def _opened(initrd: Path) -> Iterator[int]:
    try:
        descriptor = os.open(initrd, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise NotFoundError(f"{initrd} cannot be read: {reason(error)}") from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise RefusedError(f"{initrd} is no initrd: it is no file")
        start = os.pread(descriptor, HEAD_SIZE, 0)
        if not is_initrd(start):
            raise RefusedError(
                f"{initrd} is no initrd: it is neither a cpio archive nor compressed as the kernel knows it"
                if start
                else f"{initrd} is no initrd: it is empty",
                hint="--initrd is the file that `chainboot image` wrote",
            )
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _ended_properly() -> Iterator[None]:
    """A link that is lost ends this as Ctrl-C does: no half of a file with a key in it stays behind."""

    def end(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = [(number, signal.signal(number, end)) for number in (signal.SIGHUP, signal.SIGTERM)]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


@contextmanager
def _replacing(output: Path, system: System) -> Iterator[int]:
    """A new file that takes the place of `output` at the end, down to the disk; nothing of it stays after an error."""
    temporary = output.with_name(f".chainboot-{os.urandom(8).hex()}")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        target = os.open(temporary, flags, 0o600)
        try:
            try:
                yield target
                system.sync(target)
            finally:
                os.close(target)
            os.replace(temporary, output)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
        _sync_directory(output.parent, system)
    except OSError as error:
        raise ChainbootError(f"{output} cannot be written: {reason(error)}") from error


def _sync_directory(path: Path, system: System) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        sync_directory(system.sync, descriptor)
    finally:
        os.close(descriptor)


def _copy(source: int, target: int, initrd: Path) -> int:
    """Copy all of it; the number of bytes."""
    size = 0
    while True:
        try:
            data = os.read(source, _CHUNK)
        except OSError as error:
            raise ChainbootError(f"{initrd} cannot be read: {reason(error)}") from error
        if not data:
            return size
        _write(target, data)
        size += len(data)


def _write(target: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(target, rest) :]
