"""What differs between the machines that chainboot runs on: one row for each. Pure; knows nothing else of chainboot.

Sources: ELF gABI, chapter 4 (e_machine, EI_DATA); Linux drivers/s390/char (con3215.c, sclp_vt220.c, sclp_tty.c,
tty3270.c) and Documentation/admin-guide/kernel-parameters.rst (`console=`, `conmode=`).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Architecture:
    """One row.

    `name` is what `uname -m` says, `elf_machine` e_machine of an ELF header, `byte_order` is `little` or `big` as
    `int.from_bytes` takes it, `bits` are those of an address, and `triplet` names Debian's library directories.
    `console` is the usual serial console as the kernel parameter `console=` names it.
    `line_consoles` are how the names of terminals start that show whole lines only and send no cursor keys, which
    first-stage/serve-console has as well. `device_tree` says that kexec takes a device tree.
    """

    name: str
    elf_machine: int
    byte_order: str
    console: str
    line_consoles: tuple[str, ...] = ()
    device_tree: bool = False
    bits: int = 64
    multiarch: str = ""

    @property
    def triplet(self) -> str:
        """Debian's multiarch name (https://wiki.debian.org/Multiarch/Tuples)."""
        return self.multiarch or f"{self.name}-linux-gnu"


X86_64 = Architecture("x86_64", elf_machine=62, byte_order="little", console="ttyS0")
S390X = Architecture(
    "s390x",
    elf_machine=22,
    byte_order="big",
    # The SCLP's VT220, which KVM and a current HMC offer.
    console="ttysclp0",
    # 3215 (z/VM) calls itself ttyS0, the SCLP's line mode sclp_line0; a 3270 takes whole screens, but no single keys.
    line_consoles=("ttyS", "sclp_line", "3215", "3270", "tty3270"),
)
AARCH64 = Architecture("aarch64", elf_machine=183, byte_order="little", console="ttyAMA0", device_tree=True)

RISCV64 = Architecture("riscv64", elf_machine=243, byte_order="little", console="ttyS0", device_tree=True)
ARMV7L = Architecture(
    "armv7l",
    elf_machine=40,
    byte_order="little",
    console="ttyS0",
    device_tree=True,
    bits=32,
    multiarch="arm-linux-gnueabihf",
)

ARCHITECTURES = (X86_64, S390X, AARCH64, RISCV64, ARMV7L)


def find(name: str) -> Architecture | None:
    """The row called `name`, as uname(2) has it; None for a machine that is not in the table."""
    for row in ARCHITECTURES:
        if row.name == name:
            return row
    return None
