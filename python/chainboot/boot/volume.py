"""A file system that may hold a configuration, and paths that never leave it.

A configuration is written by whoever could write to that disk, so no path in it may name a file of the running
system: absolute paths start at the root of the volume, `..` stops there, and symbolic links are followed
inside (what openat2(2) calls RESOLVE_IN_ROOT; Python has no call for it).
"""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass

from chainboot.errors import ChainbootError, NotFoundError
from chainboot.extlinux.evaluation import resolve
from chainboot.extlinux.menu import BootMenu
from chainboot.extlinux.parser import SIZE_LIMIT, Document, parse

# Where a configuration may lie, best first. extlinux/extlinux.conf: NixOS, U-Boot (prefixes "/" and "/boot/");
# extlinux.conf: Alpine; the syslinux and isolinux directories: syslinux' core/fs/lib/loadconfig.c. The kernel's
# vfat driver ignores case, so upper-case twins need no rows of their own.
CONFIG_PATHS = (
    "/boot/extlinux/extlinux.conf",
    "/extlinux/extlinux.conf",
    "/boot/extlinux.conf",
    "/extlinux.conf",
    "/boot/syslinux/extlinux.conf",
    "/boot/syslinux/syslinux.cfg",
    "/syslinux/extlinux.conf",
    "/syslinux/syslinux.cfg",
    "/syslinux.cfg",
    "/boot/isolinux/isolinux.cfg",
    "/isolinux/isolinux.cfg",
)

# Linux: MAXSYMLINKS, the limit of path_resolution(7).
_LINKS = 40


@dataclass(frozen=True, slots=True)
class Volume:
    """A file system (or a directory that looks like one) at `root` on this machine.

    `name` is what a person calls it; `device`, `mounted` and `uuid` (of the file system) say what discovery mounted
    there.
    """

    root: str
    name: str
    device: str | None = None
    mounted: bool = False
    uuid: str | None = None

    def follow(self, path: str) -> str:
        """The path inside the volume that `path` leads to, without links; raises `PathError` where it leads nowhere."""
        pending = path.split("/")[::-1]
        done: list[str] = []
        last_link = ""
        links = 0
        while pending:
            part = pending.pop()
            if part in ("", "."):
                continue
            if part == "..":
                del done[-1:]
                continue
            here = "/".join(("", *done, part))
            try:
                mode = os.lstat(self.root + here).st_mode
            except (OSError, ValueError) as error:
                wanted = normalise("/".join((here, *reversed(pending))))
                missing = isinstance(error, OSError) and error.errno in _MISSING and not last_link
                raise PathError(_why(wanted, error, last_link), missing=missing) from error
            if stat.S_ISLNK(mode):
                links += 1
                if links > _LINKS:
                    raise PathError(f"{here} leads through more than {_LINKS} symbolic links")
                target = os.readlink(self.root + here)
                last_link = f"{here} is a symbolic link to {target}, and links never leave the volume: "
                if target.startswith("/"):
                    done = []
                pending += target.split("/")[::-1]
            else:
                done.append(part)
        return "/" + "/".join(done)

    def read(self, path: str, limit: int, at: int = 0) -> bytes:
        """At most `limit` bytes, from byte `at` on, of the file that `path` leads to; raises `PathError`."""
        real = self.follow(path)
        try:
            # O_NONBLOCK: a FIFO or a device in place of a file must not hang the menu.
            descriptor = os.open(self.root + real, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                mode = os.fstat(descriptor).st_mode
                if not stat.S_ISREG(mode):
                    raise PathError(f"{real} is {file_type(mode)}, not a file")
                os.lseek(descriptor, at, os.SEEK_SET)
                chunks: list[bytes] = []
                while limit > 0 and (chunk := os.read(descriptor, min(limit, 1 << 20))):
                    chunks.append(chunk)
                    limit -= len(chunk)
                return b"".join(chunks)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise PathError(_why(real, error, "")) from error


class PathError(ChainbootError):
    """A path leads nowhere inside its volume, or not to a file. `missing`: there is simply nothing by that name."""

    def __init__(self, message: str, *, missing: bool = False) -> None:
        super().__init__(message)
        self.missing = missing


_MISSING = (errno.ENOENT, errno.ENOTDIR)


def _why(path: str, error: OSError | ValueError, link: str) -> str:
    if isinstance(error, OSError) and error.errno in _MISSING:
        return f"{link}{path} does not exist" if not link else f"{link}{path} does not exist in it"
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"{link}{path} cannot be read: {reason}"


def file_type(mode: int) -> str:
    """What a file is, for a sentence: "a directory"."""
    for test, what in (
        (stat.S_ISDIR, "a directory"),
        (stat.S_ISFIFO, "a named pipe"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISBLK, "a block device"),
        (stat.S_ISCHR, "a character device"),
    ):
        if test(mode):
            return what
    return "no regular file"


def normalise(path: str) -> str:
    """`path` as an absolute path without `.`, `..` and double slashes; `..` stops at the root."""
    done: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del done[-1:]
        elif part not in ("", "."):
            done.append(part)
    return "/" + "/".join(done)


@dataclass(frozen=True, slots=True)
class Configuration:
    """A configuration file in a volume, read. `path` is inside the volume."""

    volume: Volume
    path: str
    menu: BootMenu

    def absolute(self, value: str) -> str:
        """A path of this configuration as a path inside the volume, not yet followed.

        Relative to the directory of the configuration, absolute from the root of the volume (syslinux, U-Boot).
        """
        return value if value.startswith("/") else f"{self.path.rpartition('/')[0]}/{value}"

    def alternatives(self, value: str) -> tuple[str, ...]:
        """The paths to try for `value`, best first.

        An absolute path is written by some for the partition, by others for the running system, where that
        partition is /boot: the other reading is tried where the first leads nowhere.
        """
        path = self.absolute(value)
        if not value.startswith("/"):
            return (path,)
        if self.path.startswith("/boot/"):
            return (path, f"/boot{path}")
        return (path, path.removeprefix("/boot")) if path.startswith("/boot/") else (path,)

    def read_include(self, name: str) -> Document | None:
        """The file that an INCLUDE of this configuration names, parsed; None where there is none."""
        for candidate in self.alternatives(name):
            try:
                return parse(self.volume.read(candidate, SIZE_LIMIT + 1), normalise(candidate))
            except PathError:
                continue
        return None


def find_configurations(volume: Volume) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The paths of all configurations in a volume, best first, each file once (by device and inode).

    And a sentence for every place where something stands that is no readable file.
    """
    found: list[str] = []
    problems: list[str] = []
    seen: set[tuple[int, int]] = set()
    for path in CONFIG_PATHS:
        try:
            status = os.stat(volume.root + volume.follow(path))
        except PathError as error:
            if not error.missing:
                problems.append(error.message)
            continue
        except OSError as error:
            problems.append(_why(path, error, ""))
            continue
        if not stat.S_ISREG(status.st_mode):
            problems.append(f"{path} is {file_type(status.st_mode)}, not a file")
        elif (status.st_dev, status.st_ino) not in seen:
            seen.add((status.st_dev, status.st_ino))
            found.append(path)
    return tuple(found), tuple(dict.fromkeys(problems))


def read_configuration(volume: Volume, path: str) -> Configuration:
    """The configuration at `path`; raises `NotFoundError` where it cannot be read."""
    try:
        # One byte more than the limit, so that the parser sees that there is more.
        document = parse(volume.read(path, SIZE_LIMIT + 1), path)
    except PathError as error:
        raise NotFoundError(f"no configuration: {error.message} (in {volume.name})") from error
    bare = Configuration(volume, path, BootMenu(path))
    return Configuration(volume, path, resolve(document, bare.read_include))
