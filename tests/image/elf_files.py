"""Small ELF files for tests, for any of our machines and without a compiler. Layout: ELF gABI, chapters 4 and 5."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from chainboot.architecture import X86_64, Architecture

# of DT_SYMTAB and its kin only what pyelftools looks at
_DT_HASH, _DT_SYMTAB, _DT_RELA, _DT_RELASZ, _DT_RELAENT, _DT_SYMENT = 4, 6, 7, 8, 9, 11
_PT_LOAD, _PT_DYNAMIC, _PT_INTERP = 1, 2, 3
_DT_NEEDED, _DT_STRTAB, _DT_STRSZ, _DT_RPATH, _DT_RUNPATH = 1, 5, 10, 15, 29
_HEADER, _PROGRAM_HEADER, _SECTION_HEADER = 64, 56, 64


def elf_file(
    architecture: Architecture = X86_64,
    *,
    needed: Sequence[str] = (),
    interpreter: str | None = None,
    rpath: str | None = None,
    runpath: str | None = None,
    modinfo: Sequence[str] | None = None,
    inittab: Sequence[str] | None = None,
    relocated: bool = False,
    tail: bytes = b"",
) -> bytes:
    """A file linked as asked for; `modinfo` adds that section, `tail` makes two files differ.

    `inittab` makes it a CPython with these modules built in; `relocated` leaves its pointers to relocations, as in a
    position-independent file.
    """
    order = ">" if architecture.byte_order == "big" else "<"
    strings = bytearray(b"\0")

    def text(value: str) -> int:
        offset = len(strings)
        strings.extend(value.encode() + b"\0")
        return offset

    tags = [(_DT_NEEDED, text(name)) for name in needed]
    tags += [(_DT_RPATH, text(rpath))] if rpath is not None else []
    tags += [(_DT_RUNPATH, text(runpath))] if runpath is not None else []
    symbol = text("PyImport_Inittab") if inittab is not None else 0
    program_headers = 1 + (interpreter is not None) + bool(tags or symbol)
    body = bytearray()
    base = _HEADER + program_headers * _PROGRAM_HEADER

    def place(data: bytes) -> int:
        body.extend(bytes(-len(body) % 8))
        offset = base + len(body)
        body.extend(data)
        return offset

    segments: list[tuple[int, int, int]] = []
    if interpreter is not None:
        data = interpreter.encode() + b"\0"
        segments.append((_PT_INTERP, place(data), len(data)))
    if inittab is not None:
        texts = [place(name.encode() + b"\0") for name in inittab]
        pointers = [word for at in texts for word in (at, 1)] + [0, 0]
        start = base + len(body) + -len(body) % 8
        pointers.append(start)  # PyImport_Inittab itself, behind the table that it points to
        held = [0] * len(pointers) if relocated else pointers
        place(struct.pack(f"{order}{len(held)}Q", *held))
        nothing = struct.pack(f"{order}IBBHQQ", 0, 0, 0, 0, 0, 0)
        value = start + 8 * (len(pointers) - 1)
        tags.append((_DT_SYMTAB, place(nothing + struct.pack(f"{order}IBBHQQ", symbol, 0x11, 0, 1, value, 8))))
        tags += [(_DT_SYMENT, 24), (_DT_HASH, place(struct.pack(f"{order}5I", 1, 2, 1, 0, 0)))]
        if relocated:
            wanted = [(start + 8 * index, 8, word) for index, word in enumerate(pointers) if word]
            table = b"".join(struct.pack(f"{order}QQQ", *relocation) for relocation in wanted)
            tags += [(_DT_RELA, place(table)), (_DT_RELASZ, len(table)), (_DT_RELAENT, 24)]
    if tags:
        at = place(bytes(strings))
        dynamic = [*tags, (_DT_STRTAB, at), (_DT_STRSZ, len(strings)), (0, 0)]
        data = b"".join(struct.pack(f"{order}QQ", *tag) for tag in dynamic)
        segments.append((_PT_DYNAMIC, place(data), len(data)))
    sections_at = sections = 0
    if modinfo is not None:
        info = b"".join(item.encode() + b"\0" for item in modinfo)
        names = b"\0.modinfo\0.shstrtab\0"
        headers = [(0, 0, 0, 0), (1, 1, place(info), len(info)), (10, 3, place(names), len(names))]
        sections_at = place(
            b"".join(
                struct.pack(f"{order}IIQQQQIIQQ", name, kind, 0, 0, offset, size, 0, 0, 1, 0)
                for name, kind, offset, size in headers
            )
        )
        sections = len(headers)
    place(tail)
    segments.insert(0, (_PT_LOAD, 0, base + len(body)))
    table = b"".join(
        struct.pack(f"{order}IIQQQQQQ", kind, 5, offset, offset, offset, size, size, 8)
        for kind, offset, size in segments
    )
    identification = b"\x7fELF" + bytes([2, 2 if order == ">" else 1, 1]) + bytes(9)
    header = identification + struct.pack(
        f"{order}HHIQQQIHHHHHH",
        3, architecture.elf_machine, 1, 0, _HEADER, sections_at, 0, _HEADER,
        _PROGRAM_HEADER, program_headers, _SECTION_HEADER, sections, max(sections - 1, 0),
    )  # fmt: skip
    return header + table + bytes(body)
