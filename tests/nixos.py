"""What NixOS's extlinux-conf-builder.sh leaves in a /boot, written by hand in the same shape."""

from __future__ import annotations

from pathlib import Path

from kernels import bzimage

KERNEL = "ws5y3vk0ib0w6sqbcnwy5hd8ijvxrqsg-linux-6.6.32-bzImage"
INITRD = "0fkl8hfxwm8zkcfhwzlm4hmrcrjqk4gz-initrd-linux-6.6.32-initrd"
SYSTEM = "/nix/store/7ka2xs4yyk0qv5njkx7wcnfzhl7hx9ra-nixos-system-box-24.05.7376.b134951a4c9f"
DEFAULT_PARAMETERS = "console=ttyS0,115200 loglevel=4"

HEADER = """\
# Generated file, all changes will be lost on nixos-rebuild!

# Change this to e.g. nixos-42 to temporarily boot to an older configuration.
"""


def label(name: str, title: str, parameters: str = DEFAULT_PARAMETERS, *, tail: str = "") -> str:
    """One LABEL block. `tail` is what stands after APPEND, such as an FDT line."""
    return f"""
LABEL {name}
  MENU LABEL {title}
  LINUX ../nixos/{KERNEL}
  INITRD ../nixos/{INITRD}
  APPEND init={SYSTEM}/init {parameters}
{tail}"""


def generation(number: int, specialisation: str = "default", parameters: str = DEFAULT_PARAMETERS) -> str:
    """The block of one generation, named as NixOS names it since 2023."""
    title = f"NixOS - Configuration {number}-{specialisation} (2026-11-{number % 28 + 1:02d} 14:20 - 24.05)"
    return label(f"nixos-{number}-{specialisation}", title, parameters)


def extlinux_conf(*blocks: str, timeout: int | None = 50, default: str = "nixos-default") -> str:
    """A whole file. `timeout` is in tenths of a second."""
    head = f"{HEADER}DEFAULT {default}\n\n"
    head += "" if timeout is None else f"TIMEOUT {timeout}\n"
    return f"{head}MENU TITLE {'-' * 60}\n" + "".join(blocks)


def usual_conf(timeout: int | None = 50) -> str:
    """nixos-default, five generations, the newest with one specialisation."""
    numbers = range(42, 37, -1)
    blocks = [label("nixos-default", "NixOS - Default")]
    for number in numbers:
        blocks.append(generation(number))
        if number == 42:
            blocks.append(generation(number, "hardened", "console=ttyS0,115200 lsm=yama"))
    return extlinux_conf(*blocks, timeout=timeout)


def write_root(root: Path, conf: str | bytes, *, boot: str = "boot/") -> Path:
    """A directory that looks like a mounted disk; with `boot` "" it is a /boot partition of its own."""
    base = root / boot
    (base / "extlinux").mkdir(parents=True)
    (base / "nixos").mkdir()
    (base / "extlinux/extlinux.conf").write_bytes(conf if isinstance(conf, bytes) else conf.encode())
    (base / "nixos" / KERNEL).write_bytes(bzimage())
    (base / "nixos" / INITRD).write_bytes(b"070701 not really a cpio archive")
    return root
