"""The words that SYSAPPEND and IPAPPEND add to a command line: what the machine and the volume are called.

Bits and names are those of syslinux (`doc/syslinux.txt`, SYSAPPEND; core/dmi.c). Only those that mean something after
a kexec are known here: 1 (ip=) and 2 (BOOTIF=) tell how PXELINUX came up, 8 (CPU=) and 0x20000 (SYSFF=) have no source.
"""

from __future__ import annotations

from dataclasses import dataclass

DMI = "/sys/class/dmi/id"

_FROM_DMI = (
    (0x4, "SYSUUID", "product_uuid"),
    (0x10, "SYSVENDOR", "sys_vendor"),
    (0x20, "SYSPRODUCT", "product_name"),
    (0x40, "SYSVERSION", "product_version"),
    (0x80, "SYSSERIAL", "product_serial"),
    (0x100, "SYSSKU", "product_sku"),
    (0x200, "SYSFAMILY", "product_family"),
    (0x400, "MBVENDOR", "board_vendor"),
    (0x800, "MBPRODUCT", "board_name"),
    (0x1000, "MBVERSION", "board_version"),
    (0x2000, "MBSERIAL", "board_serial"),
    (0x4000, "MBASSET", "board_asset_tag"),
    (0x8000, "BIOSVENDOR", "bios_vendor"),
    (0x10000, "BIOSVERSION", "bios_version"),
)
FSUUID = 0x40000

_LONGEST = 64  # SMBIOS strings have no limit, command lines do


@dataclass(frozen=True, slots=True)
class SystemStrings:
    """What the firmware calls this machine: a word for each bit of the mask that it answers."""

    words: tuple[tuple[int, str], ...] = ()


NO_STRINGS = SystemStrings()


def read_system(at: str = DMI) -> SystemStrings:
    """The strings in the kernel's DMI directory; those that are missing or not readable are left out."""
    words: list[tuple[int, str]] = []
    for bit, name, file_name in _FROM_DMI:
        try:
            with open(f"{at}/{file_name}", encoding="utf-8", errors="replace") as file:
                value = mangle(file.read(4096))
        except OSError:
            continue
        if value:
            words.append((bit, f"{name}={value.lower() if bit == 0x4 else value}"))
    return SystemStrings(tuple(words))


def words(mask: int, system: SystemStrings, fs_uuid: str | None) -> str:
    """What `mask` adds to the end of a command line; "" for nothing."""
    chosen = [word for bit, word in system.words if mask & bit]
    if mask & FSUUID and fs_uuid:
        chosen.append(f"FSUUID={mangle(fs_uuid)}")
    return " ".join(chosen)


def mangle(text: str) -> str:
    """One word of it, as syslinux does: blanks and control characters become single underscores."""
    return "_".join("".join(char if char.isprintable() else " " for char in text).split())[:_LONGEST]
