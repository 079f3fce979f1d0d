"""What the firmware of an IBM Z would start from a disk: the programs that its boot block leads to.

Reads block numbers, never a file system, as the firmware does. Knows the layout for SCSI and virtio disks; all numbers
are big endian. Source: s390-tools zipl/src/bootmap.c and install.c (update_scsi_mbr, add_program_table,
add_segment_table, create_component_entry).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from chainboot.errors import ChainbootError

BLOCK = 512

_MAGIC = b"zIPL"
_POINTER = struct.Struct(">QHH4x")
_ENTRY = struct.Struct(">23sBQ")
_LOAD = 2
_POINTERS = BLOCK // _POINTER.size

# Where zipl has the kernel image loaded (zipl/include/boot.h, IMAGE_LOAD_ADDRESS).
_KERNEL_ADDRESS = 0x10000


class BootMapError(ChainbootError):
    """The firmware would find nothing that it can start."""


@dataclass(frozen=True, slots=True)
class Program:
    """One entry of the menu. What is loaded is padded with zeros to whole blocks."""

    kernel: bytes
    initrd: bytes
    parameters: str


@dataclass(frozen=True, slots=True)
class BootMap:
    """The programs by number, 0 being the default, and all blocks that starting any of them reads."""

    programs: dict[int, Program]
    blocks: frozenset[int]


def read_boot_map(disk: BinaryIO) -> BootMap:
    """The boot map of an open disk image. Raises `BootMapError` where a link of the chain is broken."""
    reader = _Reader(disk)
    first = reader.block(0)
    if first[:4] != _MAGIC:
        raise BootMapError("block 0 is no boot block of zipl")
    # magic, version, 8 bytes reserved, then the pointer to the program table
    table = reader.at(first, 16, "the program table")
    if table[:4] != _MAGIC:
        raise BootMapError("the boot block does not lead to a program table")
    programs: dict[int, Program] = {}
    for number in range(_POINTERS - 1):
        block, _, _ = _POINTER.unpack_from(table, (number + 1) * _POINTER.size)
        if block:
            programs[number] = _program(reader, reader.at(table, (number + 1) * _POINTER.size, f"program {number}"))
    if 0 not in programs:
        raise BootMapError("the program table has no default")
    return BootMap(programs, frozenset(reader.seen))


def _program(reader: _Reader, components: bytes) -> Program:
    if components[:4] != _MAGIC:
        raise BootMapError("a program does not lead to a component table")
    loaded: list[tuple[int, bytes]] = []
    for offset in range(_ENTRY.size, BLOCK, _ENTRY.size):
        pointer, kind, address = _ENTRY.unpack_from(components, offset)
        if kind != _LOAD:
            break
        loaded.append((address, b"".join(reader.segments(pointer))))
    found = [number for number, (address, _) in enumerate(loaded) if address == _KERNEL_ADDRESS]
    if len(found) != 1 or len(loaded) != found[0] + 3:
        raise BootMapError("a program does not have a kernel, parameters and an initrd, in this order")
    (_, kernel), (_, parameters), (_, initrd) = loaded[found[0] :]
    return Program(kernel, initrd, parameters.rstrip(b"\0").decode("ascii", "replace"))


class _Reader:
    """Reads blocks and remembers which."""

    def __init__(self, disk: BinaryIO) -> None:
        self._disk = disk
        self._blocks = disk.seek(0, 2) // BLOCK
        self.seen: set[int] = set()

    def block(self, number: int, count: int = 1) -> bytes:
        if number + count > self._blocks:
            raise BootMapError(f"block {number} is behind the end of the disk")
        self._disk.seek(number * BLOCK)
        data = self._disk.read(count * BLOCK)
        self.seen.update(range(number, number + count))
        return data

    def at(self, holder: bytes, offset: int, what: str) -> bytes:
        number, size, more = _POINTER.unpack_from(holder, offset)
        if number == 0 or size != BLOCK or more:
            raise BootMapError(f"the pointer to {what} is not one to a block of {BLOCK} bytes")
        return self.block(number)

    def segments(self, pointer: bytes) -> Iterator[bytes]:
        """What a list of segments leads to; its last pointer in a block leads on to the next block of the list."""
        while True:
            table = self.at(pointer, 0, "a segment table")
            for index in range(_POINTERS - 1):
                number, _, more = _POINTER.unpack_from(table, index * _POINTER.size)
                if number == 0:
                    return
                yield self.block(number, more + 1)
            pointer = table[-_POINTER.size :]
            if _POINTER.unpack(pointer)[0] == 0:
                return
