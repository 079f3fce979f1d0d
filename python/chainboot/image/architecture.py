"""Whether an ELF file is for the machine that an image is for, and where that machine looks for libraries.

Knows ELF constants; reads no files. Numbers: ELF gABI, chapter 4 (e_machine, EI_CLASS, EI_DATA). What the machines
are is in chainboot/architecture.py.
"""

from __future__ import annotations

from chainboot.architecture import ARCHITECTURES, Architecture
from chainboot.errors import ChainbootError

ELF_MAGIC = b"\x7fELF"
_EI_CLASS = 4
_EI_DATA = 5
_ELFCLASS32 = 1
_ELFCLASS64 = 2
_ELFDATA2LSB = 1
_ELFDATA2MSB = 2
_E_MACHINE = slice(18, 20)


def library_directories(architecture: Architecture) -> tuple[str, ...]:
    """Where the dynamic linker looks without being told: Debian's multiarch directories, then everybody's."""
    triplet = architecture.triplet
    return (f"/lib/{triplet}", f"/usr/lib/{triplet}", "/lib64", "/usr/lib64", "/lib", "/usr/lib")


def is_elf(data: bytes) -> bool:
    """Whether `data` starts as an ELF file does, with a header long enough to be asked for its machine."""
    return data[:4] == ELF_MAGIC and len(data) >= _E_MACHINE.stop


def is_for(header: bytes, architecture: Architecture) -> bool:
    """Whether an ELF file that starts with `header` (20 bytes or more) is for this machine."""
    bits = _ELFCLASS64 if architecture.bits == 64 else _ELFCLASS32
    wanted = (bits, architecture.byte_order, architecture.elf_machine)
    return is_elf(header) and _describe(header) == wanted


def require_architecture(data: bytes, architecture: Architecture, name: str) -> None:
    """Raise a `ChainbootError` if `data` is an ELF file for another machine; `name` is what it is called."""
    if not is_elf(data) or is_for(data, architecture):
        return
    bits_class, byte_order, machine = _describe(data)
    known = [row.name for row in ARCHITECTURES if row.elf_machine == machine]
    bits = "64" if bits_class == _ELFCLASS64 else "32"
    raise ChainbootError(
        f"{name} is for {known[0] if known else f'machine {machine}'} ({bits} bit, {byte_order} endian), "
        f"and the image is for {architecture.name}",
        hint="the sysroot, or a path in the image spec, belongs to another architecture (see --arch)",
    )


def _describe(header: bytes) -> tuple[int, str, int]:
    order = header[_EI_DATA]
    if order == _ELFDATA2MSB:
        return header[_EI_CLASS], "big", int.from_bytes(header[_E_MACHINE], "big")
    return header[_EI_CLASS], "little" if order == _ELFDATA2LSB else "?", int.from_bytes(header[_E_MACHINE], "little")
