"""Every write that a guest made to a disk, in order: what a power cut at any moment would have left.

Reads the log of QEMU's block driver `blklogwrites`. Format: Linux drivers/md/dm-log-writes.c; little endian, a super
block, then a header of one sector for each write with its data behind it. Knows nothing of what was written.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from chainboot.errors import ChainbootError

_MAGIC = 0x6A736677736872
_SUPER = struct.Struct("<QQQI")
_ENTRY = struct.Struct("<QQQQ")
_FLUSH = 1
_DISCARD = 4


@dataclass(frozen=True, slots=True)
class Write:
    """One write, or a flush without data. `offset` is in bytes on the disk."""

    offset: int
    data: bytes
    flush: bool


def read_log(path: Path) -> Iterator[Write]:
    """The writes of a log. Raises `ChainbootError` for what is no log, or has a write that this does not know."""
    with path.open("rb") as file:
        magic, version, count, sector = _SUPER.unpack(file.read(_SUPER.size))
        if (magic, version) != (_MAGIC, 1):
            raise ChainbootError(f"{path} is no log of writes")
        file.seek(sector)
        for _ in range(count):
            where, sectors, flags, _ = _ENTRY.unpack(file.read(_ENTRY.size))
            file.seek(sector - _ENTRY.size, 1)
            if flags & _DISCARD:
                raise ChainbootError(f"{path} has a discard, which is not replayed here")
            yield Write(where * sector, file.read(sectors * sector), bool(flags & _FLUSH))
