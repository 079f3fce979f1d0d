"""The reader of zipl's boot map, which says what a power cut has left, on a disk that is made by hand."""

from __future__ import annotations

import io
import struct

import pytest

from chainboot_vm.bootmap import BLOCK, BootMapError, Program, read_boot_map

KERNEL, PARAMETERS, INITRD = b"k" * 1000, b"console=ttysclp0 x=1\0", b"i" * 20000


def pointer(block: int, more: int = 0) -> bytes:
    return struct.pack(">QHH4x", block, BLOCK, more)


class Disk:
    """Blocks of 512 bytes; 0 is the boot block, and what is added gets the next free ones."""

    def __init__(self) -> None:
        self.blocks = [bytes(BLOCK)]

    def add(self, data: bytes) -> int:
        first = len(self.blocks)
        self.blocks += [data[at : at + BLOCK].ljust(BLOCK, b"\0") for at in range(0, len(data), BLOCK)]
        return first

    def segments(self, data: bytes, pieces: int = 1) -> bytes:
        """The pointer to a list that leads to `data` in this many pieces."""
        size = -(-len(data) // pieces // BLOCK) * BLOCK
        parts = [data[at : at + size] for at in range(0, len(data), size)]
        found = [pointer(self.add(part), -(-len(part) // BLOCK) - 1) for part in parts]
        following = bytes(16)
        while found:
            start = (len(found) - 1) // 31 * 31
            following = pointer(self.add(b"".join(found[start:]).ljust(BLOCK - 16, b"\0") + following))
            found = found[:start]
        return following

    def program(self, *components: tuple[int, bytes]) -> int:
        entries = b"".join(struct.pack(">23sBQ", where.ljust(23, b"\0"), 2, address) for address, where in components)
        return self.add((b"zIPL" + bytes(28) + entries + struct.pack(">23sBQ", b"", 1, 0xA000)).ljust(BLOCK, b"\0"))

    def finish(self, programs: dict[int, int]) -> io.BytesIO:
        table = b"zIPL" + bytes(12) + b"".join(pointer(programs[n]) if n in programs else bytes(16) for n in range(31))
        self.blocks[0] = (b"zIPL" + bytes(12) + pointer(self.add(table))).ljust(BLOCK, b"\0")
        return io.BytesIO(b"".join(self.blocks))


def usual(disk: Disk) -> int:
    return disk.program(
        (0x9000, disk.segments(b"parameters of the loader")),
        (0x10000, disk.segments(KERNEL)),
        (0x4E5000, disk.segments(PARAMETERS)),
        (0x4F0000, disk.segments(INITRD, pieces=40)),
    )


def test_a_program_is_read_through_all_its_links() -> None:
    disk = Disk()
    program = usual(disk)
    found = read_boot_map(disk.finish({0: program, 3: program}))
    assert sorted(found.programs) == [0, 3]
    kernel, initrd = KERNEL.ljust(1024, b"\0"), INITRD.ljust(40 * BLOCK, b"\0")
    assert found.programs[0] == Program(kernel, initrd, "console=ttysclp0 x=1")
    assert found.blocks == frozenset(range(len(disk.blocks)))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ((0, b"\0\0\0\0"), "block 0 is no boot block of zipl"),
        ((16 + 0, b"\xff" * 8), "block 18446744073709551615 is behind the end of the disk"),
        ((16 + 8, b"\0\0"), "the pointer to the program table is not one to a block of 512 bytes"),
        ((16 + 7, b"\1"), "the boot block does not lead to a program table"),
    ],
)
def test_what_is_broken_is_named(damage: tuple[int, bytes], words: str) -> None:
    disk = Disk()
    image = disk.finish({0: usual(disk)})
    image.seek(damage[0])
    image.write(damage[1])
    with pytest.raises(BootMapError) as broken:
        read_boot_map(image)
    assert str(broken.value) == words


def test_a_table_without_a_default_and_a_program_without_a_kernel() -> None:
    disk = Disk()
    with pytest.raises(BootMapError, match="the program table has no default"):
        read_boot_map(disk.finish({1: usual(disk)}))
    disk = Disk()
    with pytest.raises(BootMapError, match="does not have a kernel, parameters and an initrd"):
        read_boot_map(disk.finish({0: disk.program((0x10000, disk.segments(KERNEL)))}))
