"""What the header of a kernel image says: machine, version, command-line limit, and whether the file is whole.

Pure: takes the first bytes of a file and its size. Sources: Linux Documentation/arch/x86/boot.rst (bzImage),
Documentation/arm64/booting.rst (Image), arch/s390/boot/head.S and asm/setup.h (S390EP), the ELF specification.
kexec-tools checks little of this, and on s390x nothing at all.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

HEAD_SIZE = 0x11000
"""Bytes from the start of a file that `inspect` wants to see: the farthest field is s390x's, at 0x10430."""


@dataclass(frozen=True, slots=True)
class KernelImage:
    """A kernel image. `command_line_limit` is in bytes without the final NUL; None where the image has no limit.

    `problem` says why the file cannot be booted; the other fields are then as far as they could be read.
    """

    machine: str | None
    kind: str
    version: str | None = None
    command_line_limit: int | None = None
    problem: str | None = None


# boot.rst: "cmdline_size ... if the boot protocol version is 2.05 or earlier, the maximum size was 255".
_OLD_COMMAND_LINE_LIMIT = 255

_ELF_MACHINES = {0x3E: "x86_64", 0x16: "s390x", 0xB7: "aarch64", 0x03: "i386", 0xF3: "riscv64"}

_OTHER_FILES = (
    (b"\x1f\x8b", "a gzip file"),
    (b"\x28\xb5\x2f\xfd", "a zstd file"),
    (b"\xfd7zXZ", "an xz file"),
    (b"070701", "a cpio archive, such as an initrd"),
    (b"\xd0\x0d\xfe\xed", "a device tree or a FIT image, which kexec cannot load"),
    (b"\x27\x05\x19\x56", "a U-Boot legacy image, which kexec cannot load"),
    (b"#!", "a script"),
)


def inspect(head: bytes, size: int) -> KernelImage:
    """What the image is, from its first `HEAD_SIZE` bytes and its size in bytes. Never raises."""
    if size == 0:
        return KernelImage(None, "nothing", problem="the file is empty")
    if head[0x202:0x206] == b"HdrS":
        return _bzimage(head, size)
    if head[0x38:0x3C] == b"ARM\x64":
        return _arm64(head, size)
    if head[0x10008:0x1000E] == b"S390EP":
        return _s390x(head)
    if head[:4] == b"\x7fELF" and len(head) >= 20:
        order = ">" if head[5] == 2 else "<"
        number = struct.unpack_from(f"{order}H", head, 18)[0]
        return KernelImage(_ELF_MACHINES.get(number, f"ELF machine {number}"), "vmlinux")
    for magic, what in _OTHER_FILES:
        if head.startswith(magic):
            return KernelImage(None, "nothing", problem=f"the file is {what}, not a kernel")
    return KernelImage(None, "nothing", problem="the file is not a Linux kernel image")


def _bzimage(head: bytes, size: int) -> KernelImage:
    if len(head) < 0x260:
        return KernelImage("x86_64", "bzImage", problem=f"the kernel image is cut off after {size} bytes")
    protocol = struct.unpack_from("<H", head, 0x206)[0]
    # setup_sects: "for backwards compatibility, if the setup_sects field contains 0, the real value is 4".
    setup_size = ((head[0x1F1] or 4) + 1) * 512
    # syssize: "the size of the protected-mode code in units of 16-byte paragraphs".
    wanted = setup_size + struct.unpack_from("<I", head, 0x1F4)[0] * 16
    limit = struct.unpack_from("<I", head, 0x238)[0] if protocol >= 0x206 else _OLD_COMMAND_LINE_LIMIT
    problem = None
    if protocol < 0x200:
        problem = f"the kernel uses boot protocol {protocol >> 8}.{protocol & 255:02d}, which is too old for kexec"
    elif size < wanted:
        problem = f"the kernel image is cut off: {size} bytes of {wanted}"
    # xloadflags, bit 0 (protocol 2.12): "the kernel has the legacy 64-bit entry point".
    machine = "x86_64" if protocol < 0x20C or head[0x236] & 1 else "i386"
    return KernelImage(machine, "bzImage", _bzimage_version(head), limit, problem)


def _bzimage_version(head: bytes) -> str | None:
    """boot.rst: "kernel_version ... a pointer to a NUL-terminated human-readable kernel version ... less 0x200"."""
    pointer = struct.unpack_from("<H", head, 0x20E)[0]
    if pointer == 0:
        return None
    text = head[pointer + 0x200 : pointer + 0x300].split(b"\0", 1)[0].decode("ascii", "replace")
    return text.split(" ", 1)[0] or None


def _arm64(head: bytes, size: int) -> KernelImage:
    # image_size covers .bss, so a file may be smaller; only a file without code is surely cut off.
    problem = f"the kernel image is cut off after {size} bytes" if size < len(head[:HEAD_SIZE]) or size < 4096 else None
    return KernelImage("aarch64", "Image", command_line_limit=2047, problem=problem)


def _s390x(head: bytes) -> KernelImage:
    # asm/setup.h: MAX_COMMAND_LINE_SIZE, 8 bytes big-endian at 0x10430; images from before that field have 0
    # there and take 896 bytes, the final NUL included.
    if len(head) < 0x10438:
        return KernelImage("s390x", "image", problem=f"the kernel image is cut off after {len(head)} bytes")
    limit = struct.unpack_from(">Q", head, 0x10430)[0] or 896
    return KernelImage("s390x", "image", command_line_limit=limit - 1)
