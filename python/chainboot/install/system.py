"""The system calls of an install, one method for each, so that a test can let any of them fail. Decides nothing."""

from __future__ import annotations

import fcntl
import os
import struct

# linux/fs.h: FS_IOC_GETFLAGS, FS_IOC_SETFLAGS of 64-bit machines; what is read and written is an int (ioctl_iflags(2)).
_GET_FLAGS = 0x80086601
_SET_FLAGS = 0x40086602
# What is written to a file is on the disk when write(2) returns; names of a directory likewise. New files inherit it.
SYNC_FLAG = 0x8
DIRSYNC_FLAG = 0x10000


class System:
    """What creates a file or a directory lets only its owner read it. Every method raises `OSError`."""

    def make_directory(self, path: str) -> None:
        """mkdir(2)."""
        os.mkdir(path, 0o700)

    def create(self, path: str) -> int:
        """open(2) of a file that is not there yet, for writing."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)

    def change_mode(self, descriptor: int, mode: int) -> None:
        """fchmod(2): whatever the umask is."""
        os.fchmod(descriptor, mode)

    def open(self, path: str) -> int:
        """open(2) of a file or a directory for reading."""
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)

    def write(self, descriptor: int, data: bytes) -> int:
        """write(2): the number of bytes that it took, which may be fewer than there are."""
        return os.write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        """fsync(2)."""
        os.fsync(descriptor)

    def close(self, descriptor: int) -> None:
        """close(2)."""
        os.close(descriptor)

    def link(self, source: str, target: str) -> None:
        """link(2)."""
        os.link(source, target)

    def rename(self, source: str, target: str) -> None:
        """rename(2)."""
        os.rename(source, target)

    def remove_file(self, path: str) -> None:
        """unlink(2)."""
        os.unlink(path)

    def remove_directory(self, path: str) -> None:
        """rmdir(2)."""
        os.rmdir(path)

    def add_flags(self, descriptor: int, flags: int) -> None:
        """Set inode flags beside those that are set (ioctl_iflags(2))."""
        # A buffer of a long, of which the kernel uses the first four bytes, whatever the byte order.
        buffer = bytearray(8)
        fcntl.ioctl(descriptor, _GET_FLAGS, buffer)
        found: int = struct.unpack_from("=i", buffer)[0]
        fcntl.ioctl(descriptor, _SET_FLAGS, struct.pack("=i4x", found | flags))

    def sync_all(self) -> None:
        """sync(2), which on Linux waits until everything is written."""
        os.sync()


SYSTEM = System()
