"""Writing a newc cpio archive, the form in which the kernel takes an initramfs.

Format: Documentation/driver-api/early-userspace/buffer-format.rst of the kernel. Knows bytes; knows no files of this
machine: owner, times and inode numbers come from nothing but the entries, so equal entries give equal archives.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import assert_never

from chainboot.errors import ChainbootError

_LARGEST_FILE = 0xFFFFFFFF  # c_filesize has eight hexadecimal digits
_LONGEST_PATH = 4095  # PATH_MAX with its NUL: init/initramfs.c skips an entry with a longer name
_END = "TRAILER!!!"
_BLOCK = 512  # as cpio(1) pads: another archive may follow at any multiple of four


@dataclass(frozen=True, slots=True)
class Directory:
    mode: int


@dataclass(frozen=True, slots=True)
class File:
    mode: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Link:
    to: str


@dataclass(frozen=True, slots=True)
class Device:
    """`kind` is "c" or "b"."""

    mode: int
    kind: str
    major: int
    minor: int


Node = Directory | File | Link | Device


def pack(nodes: Iterable[tuple[str, Node]]) -> Iterator[bytes]:
    """The archive, in pieces. Paths are absolute (`/usr/bin/env`) and every parent must be given as a directory.

    Entries come out sorted, so a directory always precedes what is in it, as the kernel needs it. Raises a
    `ChainbootError` for what the format cannot hold.
    """
    size = 0
    directories = {"/"}
    previous = "/"
    for inode, (path, node) in enumerate(sorted(nodes, key=lambda entry: entry[0]), start=1):
        if path == f"/{_END}":
            raise ChainbootError(f"{path} would be taken for the end of the archive")
        parent = str(PurePosixPath(path).parent)
        if not path.startswith("/") or path != str(PurePosixPath(path)) or path == previous:
            raise ChainbootError(f"{path!r} is given twice, or is not the plain absolute path of an image entry")
        if parent not in directories:
            raise ChainbootError(f"{path}: its parent {parent} is not a directory of the image")
        if isinstance(node, Directory):
            directories.add(path)
        previous = path
        for piece in _entry(inode, path.lstrip("/"), node):
            size += len(piece)
            yield piece
    # The end marker has no inode, no mode and no content.
    trailer = _header(0, _END, 0, 1, b"", (0, 0))
    size += len(trailer)
    yield trailer
    yield bytes(-size % _BLOCK)


def _entry(inode: int, name: str, node: Node) -> Iterator[bytes]:
    data = b""
    device = (0, 0)
    links = 1
    match node:
        case Directory():
            mode = stat.S_IFDIR | node.mode
            links = 2
        case File():
            mode = stat.S_IFREG | node.mode
            data = node.data
        case Link():
            mode = stat.S_IFLNK | 0o777
            data = node.to.encode("utf-8", "surrogateescape")
        case Device():
            mode = (stat.S_IFCHR if node.kind == "c" else stat.S_IFBLK) | node.mode
            device = (node.major, node.minor)
        case _:
            assert_never(node)
    yield _header(inode, name, mode, links, data, device)
    if data:
        yield data
        yield bytes(-len(data) % 4)


def _header(inode: int, name: str, mode: int, links: int, data: bytes, device: tuple[int, int]) -> bytes:
    encoded = name.encode("utf-8", "surrogateescape") + b"\0"
    if len(encoded) > _LONGEST_PATH + 1:
        raise ChainbootError(f"/{name[:60]}... is longer than the {_LONGEST_PATH} bytes that the kernel takes")
    if len(data) > _LARGEST_FILE:
        raise ChainbootError(f"/{name} has {len(data)} bytes, and a cpio archive holds files up to {_LARGEST_FILE}")
    # ino mode uid gid nlink mtime filesize major minor rmajor rminor namesize check; check is 0 for 070701
    fields = (inode, mode, 0, 0, links, 0, len(data), 0, 0, *device, len(encoded), 0)
    header = b"070701" + b"".join(b"%08x" % field for field in fields) + encoded
    return header + bytes(-len(header) % 4)
