"""The machines a first stage is built for, as an ELF header names them.

Knows ELF constants; reads no files. Numbers: ELF gABI, chapter 4 (e_machine, EI_CLASS, EI_DATA).
"""

from __future__ import annotations

from enum import Enum

from chainboot.errors import ChainbootError

ELF_MAGIC = b"\x7fELF"
_EI_CLASS = 4
_EI_DATA = 5
_ELFCLASS64 = 2
_ELFDATA2LSB = 1
_ELFDATA2MSB = 2
_E_MACHINE = slice(18, 20)


class Architecture(Enum):
    """An architecture, by the name the kernel gives it (`uname -m`)."""

    X86_64 = "x86_64"
    S390X = "s390x"
    AARCH64 = "aarch64"

    @property
    def machine(self) -> int:
        """e_machine: EM_X86_64, EM_S390, EM_AARCH64."""
        return {Architecture.X86_64: 62, Architecture.S390X: 22, Architecture.AARCH64: 183}[self]

    @property
    def byte_order(self) -> str:
        """`little` or `big`, as `int.from_bytes` takes it."""
        return "big" if self is Architecture.S390X else "little"

    @property
    def library_directories(self) -> tuple[str, ...]:
        """Where the dynamic linker looks without being told: Debian's multiarch directories, then everybody's."""
        triplet = f"{self.value}-linux-gnu"
        return (f"/lib/{triplet}", f"/usr/lib/{triplet}", "/lib64", "/usr/lib64", "/lib", "/usr/lib")

    def matches(self, header: bytes) -> bool:
        """Whether an ELF file that starts with `header` (20 bytes or more) is for this machine."""
        return is_elf(header) and _describe(header) == (_ELFCLASS64, self.byte_order, self.machine)


def is_elf(data: bytes) -> bool:
    """Whether `data` starts as an ELF file does, with a header long enough to be asked for its machine."""
    return data[:4] == ELF_MAGIC and len(data) >= _E_MACHINE.stop


def require_architecture(data: bytes, architecture: Architecture, name: str) -> None:
    """Raise a `ChainbootError` if `data` is an ELF file for another machine; `name` is what it is called."""
    if not is_elf(data) or architecture.matches(data):
        return
    bits_class, byte_order, machine = _describe(data)
    known = [arch.value for arch in Architecture if arch.machine == machine]
    bits = "64" if bits_class == _ELFCLASS64 else "32"
    raise ChainbootError(
        f"{name} is for {known[0] if known else f'machine {machine}'} ({bits} bit, {byte_order} endian), "
        f"and the image is for {architecture.value}",
        hint="the sysroot, or a path in the image spec, belongs to another architecture",
    )


def _describe(header: bytes) -> tuple[int, str, int]:
    order = header[_EI_DATA]
    if order == _ELFDATA2MSB:
        return header[_EI_CLASS], "big", int.from_bytes(header[_E_MACHINE], "big")
    return header[_EI_CLASS], "little" if order == _ELFDATA2LSB else "?", int.from_bytes(header[_E_MACHINE], "little")
