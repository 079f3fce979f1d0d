"""Kernel images made up for tests: a true header, and nothing behind it."""

from __future__ import annotations

import struct


def bzimage(version: str = "6.6.32", *, command_line_size: int = 2047, protocol: int = 0x20F, body: int = 16) -> bytes:
    """An x86_64 bzImage of boot protocol `protocol`, with `body` bytes (a multiple of 16) of protected-mode code."""
    setup = bytearray(1024)  # the boot sector and one sector of setup code
    setup[0x1F1] = 1  # setup_sects
    struct.pack_into("<I", setup, 0x1F4, body // 16)  # syssize, in paragraphs
    setup[0x1FE:0x200] = b"\x55\xaa"
    setup[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", setup, 0x206, protocol)
    struct.pack_into("<H", setup, 0x20E, 0x300 - 0x200)  # kernel_version, less 0x200
    setup[0x236] = 1  # xloadflags: XLF_KERNEL_64
    struct.pack_into("<I", setup, 0x238, command_line_size)
    text = f"{version} (nixbld@localhost) #1-NixOS SMP".encode() + b"\0"
    setup[0x300 : 0x300 + len(text)] = text
    return bytes(setup) + bytes(body)


def arm64_image(*, efi: bool = False, body: int = 4096) -> bytes:
    """An arm64 Image of one page and, with `efi`, an EFI header that tells of `body` bytes of code behind it."""
    image = bytearray(4096)
    image[0x38:0x3C] = b"ARM\x64"
    if not efi:
        return bytes(image)
    image[:2] = b"MZ"
    struct.pack_into("<I", image, 0x3C, 0x40)
    _pe_header(image, 0x40, 0xAA64, ((4096, body // 2), (4096 + body // 2, body - body // 2)))
    return bytes(image) + bytes(body)


def _pe_header(image: bytearray, at: int, machine: int, sections: tuple[tuple[int, int], ...]) -> None:
    """A PE header with `sections`, each as the place and the size of its bytes in the file."""
    optional = 160
    struct.pack_into("<4sHH12xHH", image, at, b"PE\0\0", machine, len(sections), optional, 0)
    for row, (place, size) in enumerate(sections):
        struct.pack_into("<II", image, at + 24 + optional + 40 * row + 16, size, place)


def zboot_image(machine: int = 0xAA64, payload: int = 64) -> bytes:
    """A kernel that unpacks itself as an EFI program of the PE machine type `machine`."""
    image = bytearray(4096)
    image[:8] = b"MZ\0\0zimg"
    struct.pack_into("<II", image, 8, 4096, payload)
    image[0x38:0x3C] = b"\xcd\x23\x82\x81"
    struct.pack_into("<I", image, 0x3C, 0x40)
    _pe_header(image, 0x40, machine, ())
    return bytes(image) + bytes(payload)


def s390x_image(
    version: str | None = "6.1.0-50-s390x", limit: int = 4096, *, end: bytes = b"\0\0\0\x20zIPL", body: int = 0x19000
) -> bytes:
    """An s390x image of `body` bytes that takes command lines of `limit` bytes, its final NUL included (0: an old one).

    `version` stands behind the first 0x11000 bytes, as it does in true ones; None: from before it was there. `end` are
    the last bytes.
    """
    image = bytearray(body)
    struct.pack_into(">QQ", image, 0, 0x0008000080000200, 0x0200001860000050)
    image[0x18:0x50] = b"\x40" * 56
    image[0x10008:0x1000E] = b"S390EP"
    struct.pack_into(">Q", image, 0x10430, limit)
    if version is not None:
        struct.pack_into(">Q", image, 0x10428, 0x182B0)
        text = f"{version} (nixbld@localhost) #1-NixOS SMP".encode() + b"\0"
        image[0x182B0 : 0x182B0 + len(text)] = text
    image[len(image) - len(end) :] = end
    return bytes(image)


def vmlinux(machine: int = 0x3E, *, big: bool = False, wide: bool = True, body: int = 64) -> bytes:
    """An ELF kernel with one program header and `body` bytes to load."""
    order = ">" if big else "<"
    ident = b"\x7fELF" + bytes([1 + wide, 1 + big, 1]) + bytes(9)
    word, header, row = ("Q", 64, 56) if wide else ("I", 52, 32)
    head = ident + struct.pack(
        f"{order}HHI3{word}I6H", 2, machine, 1, 0, header, 0, 0, header, row, 1, 0, 0, 0
    )  # fmt: skip
    place, size = header + row, body
    if wide:
        rows = struct.pack(f"{order}II6Q", 1, 5, place, 0, 0, size, size, 4096)
    else:
        rows = struct.pack(f"{order}8I", 1, place, 0, 0, size, size, 5, 4096)
    return head + rows + bytes(body)
