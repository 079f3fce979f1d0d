"""What a kernel image says of itself: machine, version, command-line limit, and whether the file is whole.

Pure: takes the first bytes of a file, its size, and a way to read more. Formats are told apart by the magic numbers of
one table. kexec-tools checks little of this, and on s390x nothing at all.

Sources: Linux Documentation/arch/x86/boot.rst (bzImage), Documentation/arch/arm64/booting.rst and
arch/arm64/kernel/efi-header.S (Image), Documentation/arch/riscv/boot-image-header.rst, arch/s390/boot/head.S,
arch/s390/boot/ipl_data.c, arch/s390/boot/vmlinux.lds.S and asm/setup.h (S390EP), drivers/firmware/efi/libstub/
zboot-header.S; the PE/COFF and ELF specifications.

Whether a file is whole: bzImage, ELF, zboot and an arm64 Image for EFI say how long they are. On s390x no field does:
kernels from 6.1 on end in a mark, which is looked for where the version can be read. What cannot be noticed: an older
s390x kernel that lost its end, an arm64 Image without EFI header that lost its end, a bzImage that lost the signature
behind it, and wrong bytes in the middle of any kernel.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from chainboot.architecture import ARCHITECTURES, S390X

HEAD_SIZE = 0x11000
"""Bytes from the start of a file that `inspect` wants to see: the farthest field is s390x's, at 0x10430."""

ReadAt = Callable[[int, int], bytes]
"""Reads (offset, length) of the file, both in bytes; fewer bytes at its end."""


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

# e_machine of the kernels that somebody may copy by mistake, beside those of the table.
_ELF_MACHINES = {0x03: "i386", 0x14: "ppc", 0x15: "ppc64", 0x102: "loongarch64"} | {
    row.elf_machine: row.name for row in ARCHITECTURES
}

# PE/COFF, "Machine Types".
_PE_MACHINES = {
    0x014C: "i386", 0x01C2: "arm", 0x5064: "riscv64", 0x6264: "loongarch64", 0x8664: "x86_64", 0xAA64: "aarch64",
}  # fmt: skip

_OTHER_FILES = (
    (b"\x1f\x8b", "a gzip file"),
    (b"\x28\xb5\x2f\xfd", "a zstd file"),
    (b"\xfd7zXZ", "an xz file"),
    (b"070701", "a cpio archive, such as an initrd"),
    (b"\xd0\x0d\xfe\xed", "a device tree or a FIT image, which kexec cannot load"),
    (b"\x27\x05\x19\x56", "a U-Boot legacy image, which kexec cannot load"),
    (b"#!", "a script"),
)

# include/linux/uts.h: a release has at most 64 characters.
_VERSION_SIZE = 64


def inspect(head: bytes, size: int, read_at: ReadAt | None = None) -> KernelImage:
    """What the image is, from its first `HEAD_SIZE` bytes and its size in bytes.

    `read_at` reads what lies behind the head: the version of an s390x kernel, and its end. Without it that version is
    None and that end is not looked at. Raises nothing but what `read_at` raises.
    """
    if len(head) < HEAD_SIZE:
        size = min(size, len(head))  # it was cut since somebody asked for its size
    if size == 0:
        return KernelImage(None, "nothing", problem="the file is empty")
    file = _File(head, size, read_at)
    for at, magic, look in _FORMATS:
        if head[at : at + len(magic)] == magic:
            return look(file)
    for magic, what in _OTHER_FILES:
        if head.startswith(magic):
            return _no_kernel(f"the file is {what}, not a kernel")
    return _no_kernel("the file is not a Linux kernel image")


@dataclass(frozen=True, slots=True)
class _File:
    head: bytes
    size: int
    read_at: ReadAt | None

    def number(self, layout: str, at: int) -> int:
        """The number at an offset of the head, `layout` as struct has it; 0 where the head ends before it."""
        if at + struct.calcsize(layout) > len(self.head):
            return 0
        number: int = struct.unpack_from(layout, self.head, at)[0]
        return number

    def version(self, at: int) -> str | None:
        """The first word of the NUL-terminated text at an offset; "" where that is no version, None if it is unread."""
        if at + _VERSION_SIZE < len(self.head) or self.size <= len(self.head):
            text = self.head[at : at + _VERSION_SIZE + 1]
        elif self.read_at is not None:
            text = self.read_at(at, _VERSION_SIZE + 1)
        else:
            return None
        word = text.split(b"\0", 1)[0].split(b" ", 1)[0].decode("ascii", "replace")
        ended = 0 < len(word) < len(text)  # one that runs into the end of the file has lost something
        return word if ended and word.isascii() and word.isprintable() else ""

    def ends_in(self, marks: tuple[bytes, ...]) -> bool | None:
        """Whether the file ends in one of the marks; None where that cannot be looked at."""
        if self.read_at is None:
            return None
        length = min(max(len(mark) for mark in marks), self.size)
        return self.read_at(self.size - length, length).endswith(marks)

    def cut_off(self, wanted: int, least: str = "") -> str | None:
        """What to say of a file that is shorter than `wanted` bytes; None of one that is not."""
        return f"the kernel image is cut off: {self.size} bytes of {least}{wanted}" if self.size < wanted else None


def _no_kernel(problem: str) -> KernelImage:
    return KernelImage(None, "nothing", problem=problem)


def _bzimage(file: _File) -> KernelImage:
    if len(file.head) < 0x260:
        return KernelImage("x86_64", "bzImage", problem=f"the kernel image is cut off after {file.size} bytes")
    protocol = file.number("<H", 0x206)
    # setup_sects: "for backwards compatibility, if the setup_sects field contains 0, the real value is 4".
    setup_size = ((file.head[0x1F1] or 4) + 1) * 512
    # syssize: "the size of the protected-mode code in units of 16-byte paragraphs".
    cut_off = file.cut_off(setup_size + file.number("<I", 0x1F4) * 16)
    limit = file.number("<I", 0x238) if protocol >= 0x206 else _OLD_COMMAND_LINE_LIMIT
    problem = None
    if file.head[0x1FE:0x200] != b"\x55\xaa":
        problem = "the kernel image is damaged: its boot sector has no 55 AA at 0x1FE"
    elif protocol < 0x200:
        problem = f"the kernel uses boot protocol {protocol >> 8}.{protocol & 255:02d}, which is too old for kexec"
    # xloadflags, bit 0 (protocol 2.12): "the kernel has the legacy 64-bit entry point".
    machine = "x86_64" if protocol < 0x20C or file.head[0x236] & 1 else "i386"
    # kernel_version: "a pointer to a NUL-terminated human-readable kernel version ... less 0x200".
    pointer = file.number("<H", 0x20E)
    version = file.version(pointer + 0x200) if pointer else None
    # It is only shown: one that cannot be read says nothing against the kernel.
    return KernelImage(machine, "bzImage", version or None, limit, problem or cut_off)


# asm/setup.h: COMMAND_LINE_SIZE of arm64 is 2048, the final NUL included.
_ARM64_COMMAND_LINE_LIMIT = 2047


def _arm64(file: _File) -> KernelImage:
    # image_size covers .bss, so a file may be smaller: the sections of the EFI header are what the file must hold.
    wanted = max(_end_of_sections(file), 4096)
    return KernelImage("aarch64", "Image", command_line_limit=_ARM64_COMMAND_LINE_LIMIT, problem=file.cut_off(wanted))


def _pe_header(file: _File) -> int | None:
    """Where the PE header of an EFI image starts; None where it has none in the head."""
    at = file.number("<I", 0x3C)
    return at if at and file.head[at : at + 4] == b"PE\0\0" else None


def _pe_machine(file: _File) -> str | None:
    at = _pe_header(file)
    return None if at is None else _PE_MACHINES.get(file.number("<H", at + 4))


def _end_of_sections(file: _File) -> int:
    """Where the last section of a PE file ends (PointerToRawData and SizeOfRawData), in bytes; 0 without PE header."""
    at = _pe_header(file)
    if at is None:
        return 0
    table = at + 24 + file.number("<H", at + 20)
    rows = range(table, min(table + 40 * file.number("<H", at + 6), len(file.head)), 40)
    return max((file.number("<I", row + 16) + file.number("<I", row + 20) for row in rows), default=0)


# arch/s390/Kconfig: COMMAND_LINE_SIZE, "range 896 1048576"; images from before that have 0 and take 896 bytes. Both
# include the final NUL. kexec-tools writes zeros up to there, so a larger number would make it crash.
_S390X_OLD_LIMIT = 896
_S390X_LARGEST_LIMIT = 1 << 20

# asm/setup.h: COMMAND_LINE_OFFSET, and EARLY_SCCB_OFFSET, behind which the code goes on.
_S390X_COMMAND_LINE = 0x10480
_S390X_HEAD_END = 0x11000

# Version and command line stand in the part that unpacks the rest: some hundred KiB, and the command line.
_S390X_LARGEST_HEAD = 1 << 24

# vmlinux.lds.S of Linux 6.1 (aa127a069ef3, also in stable branches): the secure boot trailer, whose last words are its
# size and a magic number; or, behind that, what scripts/sign-file appends.
_S390X_ENDS = (b"\0\0\0\x20zIPL", b"~Module signature appended~\n")
_S390X_ENDS_FROM = (6, 1)


def _s390x(file: _File) -> KernelImage:
    if len(file.head) < 0x10438:
        return KernelImage(S390X.name, "image", problem=file.cut_off(_S390X_HEAD_END, "at least "))
    limit = file.number(">Q", 0x10430) or _S390X_OLD_LIMIT
    # kernel_version: the address of the version, and as the image is loaded at 0, its place in the file. Kernels from
    # before that field have 0.
    pointer = file.number(">Q", 0x10428)
    if not _S390X_OLD_LIMIT <= limit <= _S390X_LARGEST_LIMIT or pointer >= _S390X_LARGEST_HEAD:
        said = f"it says that it takes {limit} bytes of command line, and has its version at byte {pointer}"
        return KernelImage(S390X.name, "image", problem=f"the kernel image is damaged: {said}")
    # machine_kexec_file.c wants the whole buffer of the command line.
    least = max(_S390X_HEAD_END, _S390X_COMMAND_LINE + limit, pointer + 1)
    version = file.version(pointer) if pointer < file.size and pointer else None
    problem = file.cut_off(least, "at least ")
    if problem is None and version == "":
        # A file that lost power while it was written often has its size, and zeros from some place on.
        problem = f"the kernel image is cut off or damaged: it has no version at byte {pointer}"
    elif problem is None and _release(version) >= _S390X_ENDS_FROM and file.ends_in(_S390X_ENDS) is False:
        problem = f"the kernel image is cut off or damaged: its {file.size} bytes do not end as a kernel does"
    return KernelImage(S390X.name, "image", version or None, limit - 1, problem)


def _release(version: str | None) -> tuple[int, int]:
    """The two numbers that a version starts with; (0, 0) where it starts with something else."""
    major, _, rest = (version or "").partition(".")
    digits = rest[: next((place for place, char in enumerate(rest) if not char.isdecimal()), len(rest))]
    return (int(major), int(digits)) if major.isdecimal() and digits else (0, 0)


def _s390x_start(file: _File) -> KernelImage:
    """A file that starts as s390x kernels do, and has no S390EP."""
    cut_off = file.cut_off(_S390X_HEAD_END, "at least ")
    return KernelImage(
        S390X.name, "image", problem=cut_off or "the kernel image is damaged: it has no S390EP at 0x10008"
    )


def _riscv(_file: _File) -> KernelImage:
    return KernelImage("riscv64", "Image")


def _zboot(file: _File) -> KernelImage:
    """A kernel that unpacks itself as an EFI program. kexec-tools can unpack it from 2.0.28 on: left to its verdict."""
    wanted = file.number("<I", 8) + file.number("<I", 12)  # where the compressed kernel starts, and its size
    return KernelImage(_pe_machine(file), "zboot", problem=file.cut_off(max(wanted, 0x40)))


# include/linux/pe.h: LINUX_PE_MAGIC, which a kernel that is an EFI program has at 0x38 unless it has one of its own.
_LINUX_PE_MAGIC = b"\xcd\x23\x82\x81"


def _efi(file: _File) -> KernelImage:
    if file.size < 0x210:  # a bzImage for EFI tells that it is one at 0x202
        return _no_kernel(f"the file is cut off after {file.size} bytes, or no kernel")
    machine = _pe_machine(file)
    if file.head[0x38:0x3C] == _LINUX_PE_MAGIC and machine not in (None, *(row.name for row in ARCHITECTURES)):
        return KernelImage(machine, "EFI image")
    return _no_kernel("the file is an EFI program, not a kernel")


def _elf(file: _File) -> KernelImage:
    wide, order = file.head[4:5] == b"\2", ">" if file.head[5:6] == b"\2" else "<"
    # Elf64_Ehdr and Elf64_Phdr, or Elf32_...: the places of what is wanted from them.
    word, table, sections, counts, offset, length = (
        ("Q", 0x20, 0x28, 0x36, 8, 32) if wide else ("I", 0x1C, 0x20, 0x2A, 4, 16)
    )  # fmt: skip
    number = file.number(f"{order}H", 18)
    machine = _ELF_MACHINES.get(number, f"ELF machine {number}")
    entry, count, section, how_many = (file.number(f"{order}H", counts + 2 * place) for place in range(4))
    if count == 0:
        return _no_kernel("the file is an ELF file that is no program, such as a kernel module, not a kernel")
    start = file.number(f"{order}{word}", table)
    rows = range(start, min(start + entry * count, len(file.head)), max(entry, 1))
    loaded = [file.number(order + word, row + offset) + file.number(order + word, row + length) for row in rows]
    wanted = max(start + entry * count, file.number(order + word, sections) + section * how_many, *loaded, 0)
    problem = file.cut_off(wanted)
    if machine == S390X.name and problem is None:
        # kexec_file_load takes it, kexec_load takes it for a raw image and jumps into its header.
        problem = "the file is an ELF vmlinux, and kexec on s390x wants the raw image that is built from it"
    return KernelImage(machine, "vmlinux", problem=problem)


# Where the magic number stands, the magic number, and what reads the rest. The first that fits counts: a kernel that is
# an EFI program starts with MZ as well.
_FORMATS: tuple[tuple[int, bytes, Callable[[_File], KernelImage]], ...] = (
    (0x202, b"HdrS", _bzimage),
    (0x38, b"ARM\x64", _arm64),
    (0x10008, b"S390EP", _s390x),
    (0x18, b"\x40" * 56, _s390x_start),  # what the first program of an IPL fills up with
    (0x38, b"RSC\x05", _riscv),
    (0x30, b"RISCV\0\0\0", _riscv),
    (0, b"\x7fELF", _elf),
    (4, b"zimg", _zboot),
    (0, b"MZ", _efi),
)
