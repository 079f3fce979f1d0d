"""What the running machine says about itself, as data: architecture, rights, kexec, memory."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Host:
    """Facts that decide whether this machine can kexec. `memory_available` and `memory_total` are in bytes, None where
    unknown.

    `loads_left` is how often a kernel may still be loaded or unloaded, None where there is no limit. `lockdown` is the
    kernel's lockdown level, "" where it is none or not said (securityfs is not mounted, or the kernel has no lockdown).
    `secure_ipl` says that the machine was started by secure IPL, which s390x calls its secure boot.
    """

    machine: str
    root: bool
    kexec_supported: bool
    kexec_disabled: bool
    kexec_loaded: bool
    systemd: bool
    memory_available: int | None
    loads_left: int | None = None
    lockdown: str = ""
    secure_ipl: bool = False
    memory_total: int | None = None


def read_host(at: str = "/") -> Host:
    """The facts, from the proc and sys file systems below `at`.

    Sources: kernel Documentation/ABI/testing/sysfs-kernel-kexec..., Documentation/admin-guide/sysctl/kernel.rst
    (kexec_load_disabled; kexec_load_limit_reboot, from Linux 6.3 on), kernel_lockdown(7), arch/s390/kernel/ipl.c
    (/sys/firmware/ipl/secure), proc(5) (MemAvailable, MemTotal), sd_booted(3) (/run/systemd/system).
    """
    base = at.rstrip("/")
    total, available = read_memory(f"{base}/proc/meminfo")
    loaded = _read(f"{base}/sys/kernel/kexec_loaded")
    return Host(
        machine=os.uname().machine,
        root=os.geteuid() == 0,
        kexec_supported=loaded is not None,
        kexec_disabled=(_read(f"{base}/proc/sys/kernel/kexec_load_disabled") or "0") != "0",
        kexec_loaded=loaded == "1",
        systemd=os.path.isdir(f"{base}/run/systemd/system"),
        memory_available=available,
        loads_left=_limit(_read(f"{base}/proc/sys/kernel/kexec_load_limit_reboot")),
        lockdown=_lockdown(_read(f"{base}/sys/kernel/security/lockdown")),
        secure_ipl=_read(f"{base}/sys/firmware/ipl/secure") == "1",
        memory_total=total,
    )


def _limit(text: str | None) -> int | None:
    """kernel.rst: "-1 Unlimited calls to kexec ... N Number of calls left"."""
    return int(text) if text is not None and text.isascii() and text.isdecimal() else None


def _lockdown(text: str | None) -> str:
    """The level in brackets, as in "none [integrity] confidentiality"; "" where that is none of them."""
    words = (text or "").split()
    level = next((word[1:-1] for word in words if word.startswith("[") and word.endswith("]")), "")
    return level if level != "none" and level.isascii() and level.isalpha() else ""


def _read(path: str) -> str | None:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return None


def read_memory(path: str = "/proc/meminfo") -> tuple[int | None, int | None]:
    """All memory and what is available of it, in bytes; None where the kernel does not say."""
    return _meminfo(path, "MemTotal"), _meminfo(path, "MemAvailable")


def _meminfo(path: str, wanted: str) -> int | None:
    for line in (_read(path) or "").splitlines():
        name, _, rest = line.partition(":")
        words = rest.split()
        if name == wanted and words and words[0].isdigit():
            return int(words[0]) * 1024
    return None
