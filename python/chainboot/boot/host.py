"""What the running machine says about itself, as data: architecture, rights, kexec, memory."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Host:
    """Facts that decide whether this machine can kexec. `memory_available` is in bytes, None where unknown."""

    machine: str
    root: bool
    kexec_supported: bool
    kexec_disabled: bool
    kexec_loaded: bool
    systemd: bool
    memory_available: int | None


def read_host(at: str = "/") -> Host:
    """The facts, from the proc and sys file systems below `at`.

    Sources: kernel Documentation/ABI/testing/sysfs-kernel-kexec..., Documentation/admin-guide/sysctl/kernel.rst
    (kexec_load_disabled), proc(5) (MemAvailable), sd_booted(3) (/run/systemd/system).
    """
    base = at.rstrip("/")
    loaded = _read(f"{base}/sys/kernel/kexec_loaded")
    return Host(
        machine=os.uname().machine,
        root=os.geteuid() == 0,
        kexec_supported=loaded is not None,
        kexec_disabled=(_read(f"{base}/proc/sys/kernel/kexec_load_disabled") or "0") != "0",
        kexec_loaded=loaded == "1",
        systemd=os.path.isdir(f"{base}/run/systemd/system"),
        memory_available=_meminfo(f"{base}/proc/meminfo", "MemAvailable"),
    )


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
