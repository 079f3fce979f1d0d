"""What an ELF file says about itself, through pyelftools, which has no types: the one place that touches it.

Knows the ELF format; knows nothing of sysroots and images, and runs nothing.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass

from elftools.common.exceptions import DWARFError, ELFError
from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile
from elftools.elf.relocation import RelocationTable
from elftools.elf.segments import InterpSegment

from chainboot.errors import ChainbootError

_DAMAGED = (ELFError, DWARFError, ValueError, KeyError, IndexError, AttributeError, TypeError, OverflowError)
_TAGS = {"DT_NEEDED": "needed", "DT_RPATH": "rpath", "DT_RUNPATH": "runpath"}  # pyelftools' names for their text
_LONGEST_NAME = 256
_MOST_BUILTINS = 1000


@dataclass(frozen=True, slots=True)
class Linkage:
    """What the dynamic linker reads: PT_INTERP, DT_NEEDED, DT_RPATH and DT_RUNPATH (ELF gABI, chapter 5)."""

    interpreter: str | None
    needed: tuple[str, ...]
    rpath: tuple[str, ...]
    runpath: tuple[str, ...]


def read_linkage(data: bytes, name: str) -> Linkage:
    """How the ELF file `data` is linked. A static program needs nothing. Errors call the file `name`."""
    interpreter: str | None = None
    found: dict[str, list[str]] = {tag: [] for tag in _TAGS}
    try:
        for segment in ELFFile(io.BytesIO(data)).iter_segments():
            if isinstance(segment, InterpSegment):
                interpreter = str(segment.get_interp_name())
            elif isinstance(segment, DynamicSegment):
                for tag in segment.iter_tags():
                    if tag.entry.d_tag in _TAGS:
                        found[tag.entry.d_tag].append(str(getattr(tag, _TAGS[tag.entry.d_tag])))
    except _DAMAGED as error:
        raise ChainbootError(f"{name} is a damaged ELF file: {error}") from error
    return Linkage(
        interpreter,
        tuple(found["DT_NEEDED"]),
        _directories(found["DT_RPATH"]),
        _directories(found["DT_RUNPATH"]),
    )


def _directories(values: list[str]) -> tuple[str, ...]:
    return tuple(part for value in values for part in value.split(":") if part)


def read_section(data: bytes, section: str, name: str) -> bytes:
    """The bytes of `section` (`.modinfo`), empty if there is none. 64-bit files only, which is all the kernel has here.

    Read by hand: thousands of kernel modules are asked, and pyelftools takes 2 ms for each.
    Offsets: ELF gABI, Elf64_Ehdr and Elf64_Shdr.
    """
    big = data[5:6] == b"\x02"  # EI_DATA

    def number(offset: int, size: int) -> int:
        if offset + size > len(data):
            raise ChainbootError(f"{name} is a damaged ELF file: it ends too early")
        return int.from_bytes(data[offset : offset + size], "big" if big else "little")

    headers, entry_size, count, names_index = number(0x28, 8), number(0x3A, 2), number(0x3C, 2), number(0x3E, 2)
    if not headers:
        return b""
    names_offset = number(headers + names_index * entry_size + 0x18, 8)
    wanted = section.encode() + b"\0"
    for index in range(count):
        header = headers + index * entry_size
        start = names_offset + number(header, 4)
        if data[start : start + len(wanted)] == wanted:
            offset, size = number(header + 0x18, 8), number(header + 0x20, 8)
            return data[offset : offset + size]
    return b""


def builtin_modules(data: bytes, name: str) -> tuple[str, ...] | None:
    """The Python modules compiled into an interpreter or a libpython, read from its initialisation table.

    `PyImport_Inittab` points to an array of `struct _inittab { const char *name; PyObject *(*initfunc)(void); }`
    that ends with a null name (CPython, Include/cpython/import.h and Python/import.c). In a position-independent file
    the pointers are relocations. None if the file does not hold that table: it may come from a libpython.
    """
    try:
        memory = _Memory(ELFFile(io.BytesIO(data)))
        pointer = memory.symbol("PyImport_Inittab")
        if pointer is None:
            return None
        return tuple(_table(memory, memory.pointer(pointer)))
    except _DAMAGED as error:
        raise ChainbootError(f"the modules built into {name} cannot be read: {error}") from error


def _table(memory: _Memory, table: int) -> Iterator[str]:
    for index in range(_MOST_BUILTINS):
        text = memory.pointer(table + index * 2 * _POINTER)
        if text == 0:
            return
        yield memory.read(text, _LONGEST_NAME).split(b"\0")[0].decode("ascii")
    raise ValueError("the table of builtin modules has no end")


_POINTER = 8


class _Memory:
    """An ELF file as it lies in memory after relocation, at the addresses it was linked for."""

    def __init__(self, elf: ELFFile) -> None:
        self._little = bool(elf.little_endian)
        self._segments = [
            (int(segment.header.p_vaddr), int(segment.header.p_filesz), bytes(segment.data()))
            for segment in elf.iter_segments()
            if segment.header.p_type == "PT_LOAD"
        ]
        self._dynamic = next((s for s in elf.iter_segments() if isinstance(s, DynamicSegment)), None)
        self._relocated: dict[int, int] = {}
        symbols = [(str(s.name), int(s.entry.st_value)) for s in self._dynamic.iter_symbols()] if self._dynamic else []
        self._symbols = {symbol: value for symbol, value in symbols if value}
        if self._dynamic is not None:
            for table in self._dynamic.get_relocation_tables().values():
                for relocation in table.iter_relocations() if isinstance(table, RelocationTable) else ():
                    # Elf64_Rela: symbol 0 is a plain RELATIVE relocation; otherwise the symbol's address comes first.
                    # RELR tables hold no addend: the place itself does, and is read as it is.
                    if "r_addend" in relocation.entry:
                        index = int(relocation["r_info_sym"])
                        base = symbols[index][1] if 0 < index < len(symbols) else 0
                        self._relocated[int(relocation["r_offset"])] = base + int(relocation["r_addend"])

    def symbol(self, name: str) -> int | None:
        return self._symbols.get(name)

    def pointer(self, address: int) -> int:
        if address in self._relocated:
            return self._relocated[address]
        return int.from_bytes(self.read(address, _POINTER), "little" if self._little else "big")

    def read(self, address: int, size: int) -> bytes:
        for start, length, data in self._segments:
            if start <= address < start + length:
                return data[address - start : address - start + size]
        raise ValueError(f"nothing is loaded at {address:#x}")
