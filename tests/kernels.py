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


def arm64_image() -> bytes:
    """An arm64 Image of one page."""
    image = bytearray(4096)
    image[0x38:0x3C] = b"ARM\x64"
    return bytes(image)


def s390x_image(limit: int = 4096) -> bytes:
    """An s390x image with the command-line limit `limit`, its final NUL included."""
    image = bytearray(0x11000)
    image[0x10008:0x1000E] = b"S390EP"
    struct.pack_into(">Q", image, 0x10430, limit)
    return bytes(image)
