"""The record of every write to a disk, as QEMU's block driver `blklogwrites` leaves it."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from chainboot.errors import ChainbootError
from chainboot_vm.write_log import Write, read_log

SUPER = struct.pack("<QQQI", 0x6A736677736872, 1, 3, 512).ljust(512, b"\0")


def entry(sector: int, data: bytes, flags: int = 0) -> bytes:
    return struct.pack("<QQQQ", sector, len(data) // 512, flags, 0).ljust(512, b"\0") + data


def test_writes_and_flushes_in_their_order(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(SUPER + entry(2, b"a" * 1024) + entry(0, b"", 1) + entry(7, b"b" * 512, 2) + entry(9, b"c" * 512))
    assert list(read_log(log)) == [Write(1024, b"a" * 1024, False), Write(0, b"", True), Write(3584, b"b" * 512, False)]


def test_what_is_no_log_or_cannot_be_replayed_is_refused(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(bytes(512))
    with pytest.raises(ChainbootError, match="is no log of writes"):
        list(read_log(log))
    log.write_bytes(SUPER + entry(0, b"", 4))
    with pytest.raises(ChainbootError, match="has a discard"):
        list(read_log(log))
