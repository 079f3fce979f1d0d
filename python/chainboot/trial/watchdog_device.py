"""A watchdog as the kernel's device: opened, told, fed and closed.

Knows the ioctls of linux/watchdog.h and what an open and a close mean (Documentation/watchdog/watchdog-api.rst); knows
nothing of drivers, nor of who wants it armed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Protocol

# WDIOF_MAGICCLOSE: it runs on after a close, unless the letter V was written before.
MAGIC_CLOSE = 0x100


class Device(Protocol):
    """An open watchdog, which runs from the moment it is opened. Each method may raise `OSError`."""

    def options(self) -> int:
        """The WDIOF_ flags of what it can do."""

    def set_timeout(self, seconds: int) -> None:
        """How long it waits for a sign of life."""

    def feed(self) -> None:
        """A sign of life."""

    def left(self) -> int:
        """Seconds that it still waits."""

    def close(self, *, stop: bool) -> None:
        """Let it run on by itself, or stop it."""


Opener = Callable[[str], Device]


def open_device(path: str) -> Device:
    """The watchdog at `path`. Opening it starts it. Raises `OSError`; EBUSY where another program has it open."""
    return _Opened(path)


class _Opened:
    """A watchdog by its ioctls (linux/watchdog.h); the numbers are those of x86, arm and s390."""

    _INFO = 0x80285700  # WDIOC_GETSUPPORT; struct watchdog_info begins with the flags and has 40 bytes
    _SET_TIMEOUT = 0xC0045706
    _FEED = 0x80045705
    _LEFT = 0x8004570A

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CLOEXEC)

    def options(self) -> int:
        return self._ask(self._INFO, size=40)

    def set_timeout(self, seconds: int) -> None:
        self._ask(self._SET_TIMEOUT, seconds)

    def feed(self) -> None:
        self._ask(self._FEED)

    def left(self) -> int:
        return self._ask(self._LEFT)

    def close(self, *, stop: bool) -> None:
        try:
            if stop:
                os.write(self._file, b"V")
        finally:
            os.close(self._file)

    def _ask(self, call: int, value: int = 0, *, size: int = 4) -> int:
        import sys
        from fcntl import ioctl  # late: most boots are no trials

        data = bytearray(value.to_bytes(4, sys.byteorder) + bytes(size - 4))
        ioctl(self._file, call, data)
        return int.from_bytes(data[:4], sys.byteorder)
