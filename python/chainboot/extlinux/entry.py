"""One boot entry: what a LABEL of the configuration says, before anyone looks at a file.

Pure data. Paths are as written; chainboot.boot.candidate resolves them inside a volume.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from chainboot.errors import SourcePosition
from chainboot.text import first_word


class Kind(Enum):
    """What the entry starts. Only Linux can be booted by kexec; the rest is listed with its reason."""

    LINUX = "linux"
    NONE = "none"
    COM32 = "com32"
    BOOT_SECTOR = "boot-sector"
    PXE = "pxe"
    FLOPPY_IMAGE = "floppy-image"
    LOCALBOOT = "localboot"
    CONFIG = "config"
    NAVIGATION = "navigation"
    FIT = "fit"


WHY_NOT = {
    Kind.NONE: "the entry names no kernel",
    Kind.COM32: "it starts a syslinux module (.c32), which only syslinux can run",
    Kind.BOOT_SECTOR: "it starts a boot sector, which kexec cannot run",
    Kind.PXE: "it starts a PXE boot program, which kexec cannot run",
    Kind.FLOPPY_IMAGE: "it starts a floppy image, which kexec cannot run",
    Kind.LOCALBOOT: "it asks the firmware to boot the next device, which kexec cannot do",
    Kind.CONFIG: "it opens another configuration file",
    Kind.NAVIGATION: "it moves within the menus and starts nothing",
    Kind.FIT: "its kernel is a FIT image with a configuration name, which kexec cannot load",
}


# syslinux `doc/syslinux.txt`, KERNEL: the type by extension. `.bin` and `.img` are left to the file's magic,
# because U-Boot's own documentation names kernels so (`kernels/install.bin`).
_EXTENSIONS = {
    ".c32": Kind.COM32,
    ".com": Kind.COM32,
    ".cbt": Kind.COM32,
    ".bs": Kind.BOOT_SECTOR,
    ".bss": Kind.BOOT_SECTOR,
    ".0": Kind.PXE,
}

KEYWORD_KINDS = {
    "BOOT": Kind.BOOT_SECTOR,
    "BSS": Kind.BOOT_SECTOR,
    "PXE": Kind.PXE,
    "FDIMAGE": Kind.FLOPPY_IMAGE,
    "COMBOOT": Kind.COM32,
    "COM32": Kind.COM32,
    "CONFIG": Kind.CONFIG,
    "LOCALBOOT": Kind.LOCALBOOT,
    "MENU GOTO": Kind.NAVIGATION,
    "MENU EXIT": Kind.NAVIGATION,
    "MENU QUIT": Kind.NAVIGATION,
}


def kind_of(keyword: str, value: str | None) -> Kind:
    """What a kernel keyword with this value starts."""
    if keyword in KEYWORD_KINDS:
        return KEYWORD_KINDS[keyword]
    if value is None:
        return Kind.NONE
    path = first_word(value)
    if keyword == "KERNEL":  # LINUX is "always a Linux kernel", whatever its name
        for extension, kind in _EXTENSIONS.items():
            if path.lower().endswith(extension):
                return kind
    return Kind.FIT if "#" in path else Kind.LINUX


def split_hotkey(text: str) -> tuple[str | None, str]:
    """The hotkey of a MENU LABEL and its text. "^ marks the hot key": no ^ is shown, and the first one counts."""
    _, caret, after = text.partition("^")
    return (after[0].lower() if caret and after else None), text.replace("^", "")


# Beside letters and digits; `serial#` and `ethaddr` are U-Boot's own (doc/usage/environment.rst).
_NAME_SIGNS = str.maketrans("", "", "_#.-")


def environment_names(texts: Iterable[str | None]) -> tuple[str, ...]:
    """The variables that U-Boot would put in (`${name}`, `$(name)`; common/cli_simple.c), in order, each once."""
    names: dict[str, None] = {}
    for text in texts:
        if text is None or "$" not in text:
            continue
        for opening, closing in (("${", "}"), ("$(", ")")):
            for part in text.split(opening)[1:]:
                name, end, _ = part.partition(closing)
                if end and name.translate(_NAME_SIGNS).isalnum():
                    names[name] = None
    return tuple(names)


@dataclass(frozen=True, slots=True)
class NixosName:
    """What a label written by NixOS says. `generation` is None for nixos-default, `specialisation` for the base."""

    generation: int | None
    specialisation: str | None

    @classmethod
    def from_label(cls, label: str) -> NixosName | None:
        """Read `nixos-default[-SPEC]`, `nixos-N` and `nixos-N-SPEC`; None where the label is no such thing.

        Source: nixpkgs extlinux-conf-builder.sh; `nixos-N-default` is the base system of generation N
        since specialisations are listed (nixpkgs PR 154952), plain `nixos-N` before.
        """
        prefix, _, rest = label.partition("-")
        if prefix != "nixos" or not rest:
            return None
        head, dash, specialisation = rest.partition("-")
        if dash and not specialisation:
            return None
        if head == "default":
            return cls(None, specialisation or None)
        # A generation that Python's int() would refuse, or that no profile has, is no generation.
        if head.isascii() and head.isdigit() and len(head) < 10:
            return cls(int(head), None if specialisation in ("", "default") else specialisation)
        return None


@dataclass(frozen=True, slots=True)
class BootEntry:
    """A LABEL and what belongs to it. Text is as written: clean it before a terminal sees it.

    `kernel` is the value of LINUX or KERNEL, `initrd` that of INITRD or else of the last `initrd=` word in
    the command line. `append` is None where no APPEND applies and "" where it is empty (`APPEND -`).
    """

    label: str
    title: str
    position: SourcePosition
    kind: Kind = Kind.NONE
    kernel_keyword: str = ""
    kernel: str | None = None
    initrd: str | None = None
    append: str | None = None
    sysappend: int = 0
    fdt: str | None = None
    fdtdir: str | None = None
    fdtoverlays: tuple[str, ...] = ()
    hotkey: str | None = None
    help: tuple[str, ...] = ()
    indent: int = 0
    hidden: bool = False
    disabled: bool = False
    locked: bool = False
    needs_env: tuple[str, ...] = ()
    menu_path: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def nixos(self) -> NixosName | None:
        """Generation and specialisation, for entries that NixOS wrote."""
        return NixosName.from_label(self.label)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why this entry cannot be booted whatever the files are; empty where it can."""
        why = () if self.kind is Kind.LINUX else (WHY_NOT[self.kind],)
        return (*why, "the configuration disables it") if self.disabled else why
