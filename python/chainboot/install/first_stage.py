"""The files that are to be installed: a kernel and an initrd for IBM Z, looked at before anything is written."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from chainboot.architecture import S390X
from chainboot.boot.initrd import is_initrd
from chainboot.boot.kernel import HEAD_SIZE, KernelImage, inspect
from chainboot.boot.volume import file_type
from chainboot.errors import NotFoundError, RefusedError, reason

_CHUNK = 1 << 20
_CONFIG_LIMIT = 1 << 20

BOOT = "/boot"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to copy: its path, its size in bytes and its SHA-256 digest."""

    path: str
    size: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel to install. `config` is the text of the configuration beside it, "" where there is none."""

    file: SourceFile
    image: KernelImage
    config: str


def read_kernel(path: str, boot: str = BOOT) -> Kernel:
    """The kernel at `path`; `boot` is where the system keeps configurations of kernels.

    Raises `NotFoundError` or `RefusedError` for what zipl might install, but nothing could boot.
    """
    head, size = _head(path)
    image = inspect(head, size, lambda offset, length: _read_at(path, offset, length))
    problem = zipl_problem(image)
    if problem:
        raise RefusedError(f"{path} cannot be installed: {problem}")
    return Kernel(SourceFile(path, *_digest(path)), image, _config(path, image.version, boot))


def zipl_problem(image: KernelImage) -> str | None:
    """Why zipl cannot boot a kernel image, or None."""
    if image.problem:
        return image.problem
    if image.machine != S390X.name:
        return f"it is a kernel for {image.machine}, and zipl boots {S390X.name}"
    return None


def read_initrd(path: str) -> SourceFile:
    """Raises `NotFoundError` or `RefusedError` where the file is none that a kernel would take for an initrd."""
    head, size = _head(path)
    if size == 0:
        raise RefusedError(f"{path} cannot be installed: the file is empty")
    if not is_initrd(head):
        raise RefusedError(f"{path} cannot be installed: it is no initrd (neither cpio nor compressed)")
    return SourceFile(path, *_digest(path))


def _head(path: str) -> tuple[bytes, int]:
    # O_NONBLOCK: a FIFO in place of a file must not hang.
    with readable(path), open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise RefusedError(f"{path} cannot be installed: it is {file_type(status.st_mode)}, not a file")
        return file.read(HEAD_SIZE), status.st_size


def _read_at(path: str, offset: int, length: int) -> bytes:
    with readable(path), open(path, "rb") as file:
        file.seek(offset)
        return file.read(length)


def _digest(path: str) -> tuple[int, bytes]:
    """Size and digest of what can be read of a file now; raises `NotFoundError`."""
    with readable(path):
        return digest(path)


@contextmanager
def readable(path: str) -> Iterator[None]:
    """What an `OSError` while `path` is read becomes: a `NotFoundError` that names it."""
    try:
        yield
    except OSError as error:
        raise NotFoundError(f"{path} cannot be read: {reason(error)}") from error


def digest(path: str) -> tuple[int, bytes]:
    """The size in bytes and the SHA-256 digest of a file; raises `OSError`."""
    import hashlib

    found = hashlib.sha256()
    size = 0
    with open(path, "rb", buffering=0) as file:
        while chunk := file.read(_CHUNK):
            found.update(chunk)
            size += len(chunk)
    return size, found.digest()


def _config(path: str, version: str | None, boot: str) -> str:
    """The configuration that distributions install beside a kernel: config-6.1.0 beside vmlinuz-6.1.0.

    /boot/vmlinuz and /vmlinuz are links elsewhere, and a copy of a kernel may have any name: its version tells, too.
    """
    real = os.path.realpath(path)
    releases = (version or "", os.path.basename(real).partition("-")[2], os.path.basename(path).partition("-")[2])
    for directory in (os.path.dirname(real), os.path.dirname(path), boot):
        for release in dict.fromkeys(filter(None, releases)):
            try:
                with open(os.path.join(directory, f"config-{release}"), encoding="utf-8", errors="replace") as file:
                    return file.read(_CONFIG_LIMIT)
            except OSError:
                continue
    return ""
