"""A /boot as NixOS writes it.

Knows what the extlinux-conf-builder.sh of NixOS 24.05 (generic-extlinux-compatible) emits: its labels,
its order, its indents. Pure; nothing of disks or chainboot.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chainboot_vm.contents import Directory, Kernel, Node, payload_initrd

# Without e, o, t and u: https://nix.dev/manual/nix/2.24/protocols/nix32
_NIX_BASE32 = "0123456789abcdfghijklmnpqrsvwxyz"

DEFAULT_LABEL = "nixos-default"


@dataclass(frozen=True, slots=True)
class Specialisation:
    """A variant of a generation: the same kernel and initrd, another system and other kernel parameters."""

    name: str
    parameters: str


@dataclass(frozen=True, slots=True)
class Generation:
    """A system profile. `parameters` is the file kernel-params, `built` the time as the title shows it."""

    number: int
    parameters: str
    built: str = "2024-06-01 12:00"
    version: str = "24.05.20240601.abcdef0"
    linux: str = "6.1.92"
    specialisations: tuple[Specialisation, ...] = ()

    def command_line(self) -> str:
        """What APPEND holds for this generation."""
        return f"init={self._system('')}/init {self.parameters}"

    def command_line_of(self, specialisation: Specialisation) -> str:
        """What APPEND holds for one of its specialisations."""
        return f"init={self._system(specialisation.name)}/init {specialisation.parameters}"

    @property
    def kernel_file(self) -> str:
        return f"{store_hash(f'linux {self.linux}')}-linux-{self.linux}-bzImage"

    @property
    def initrd_file(self) -> str:
        return f"{store_hash(f'initrd {self.number}')}-initrd-linux-{self.linux}-initrd"

    def _system(self, specialisation: str) -> str:
        suffix = f"-{specialisation}" if specialisation else ""
        return f"/nix/store/{store_hash(f'system {self.number}{suffix}')}-nixos-system-demo{suffix}-{self.version}"


def store_hash(name: str) -> str:
    """A hash as it stands in the Nix store: 160 bits in 32 characters. The same for the same name."""
    bits = int.from_bytes(hashlib.sha256(name.encode()).digest()[:20], "little")
    return "".join(_NIX_BASE32[bits >> 5 * place & 31] for place in reversed(range(32)))


def nixos_boot(
    generations: Sequence[Generation],
    *,
    timeout: int = 50,
    default: str = DEFAULT_LABEL,
    directory: str = "boot",
) -> Mapping[str, Node]:
    """The files of a /boot with these generations; the highest number is the one that is the default.

    `timeout` is written as it is (tenths of a second; 0 waits for ever, -10 boots at once). `directory` is where it
    lies on the file system: "boot" where /boot is a directory of the root file system, "" where it is a partition.
    """
    newest_first = sorted(generations, key=lambda generation: generation.number, reverse=True)
    newest = newest_first[0]
    blocks = [
        "# Generated file, all changes will be lost on nixos-rebuild!",
        f"# Change this to e.g. nixos-42 to temporarily boot to an older configuration.\nDEFAULT {default}",
        f"MENU TITLE {'-' * 60}\nTIMEOUT {timeout}",
        _entry(DEFAULT_LABEL, "NixOS - Default", newest, newest.command_line()),
    ]
    for generation in newest_first:
        blocks.append(_configuration(generation, "default", generation.command_line()))
        for special in sorted(generation.specialisations, key=lambda special: special.name, reverse=True):
            blocks.append(_configuration(generation, special.name, generation.command_line_of(special)))
    files: dict[str, Node] = {"extlinux/extlinux.conf": "\n\n".join(blocks) + "\n"}
    for generation in generations:
        files[f"nixos/{generation.kernel_file}"] = Kernel()
        files[f"nixos/{generation.initrd_file}"] = payload_initrd(str(generation.number))
    prefix = f"{directory}/" if directory else ""
    return {prefix + path: node for path, node in files.items()}


def root_directories() -> Mapping[str, Node]:
    """What else the root file system of a NixOS machine has at its top."""
    return {name: Directory() for name in ("bin", "dev", "etc", "home", "nix/store", "nix/var", "proc", "root", "var")}


def _configuration(generation: Generation, variant: str, command_line: str) -> str:
    title = f"NixOS - Configuration {generation.number}-{variant} ({generation.built} - {generation.version})"
    return _entry(f"nixos-{generation.number}-{variant}", title, generation, command_line)


def _entry(label: str, title: str, generation: Generation, command_line: str) -> str:
    return (
        f"LABEL {label}\n"
        f"  MENU LABEL {title}\n"
        f"  LINUX ../nixos/{generation.kernel_file}\n"
        f"  INITRD ../nixos/{generation.initrd_file}\n"
        f"  APPEND {command_line}"
    )
