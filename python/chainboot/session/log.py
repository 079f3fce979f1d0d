"""What people and the timer did on this machine: a line for each act, in a file that `log` shows and in the kernel log.

The kernel log is what may survive a crash (pstore); the file has the acts alone.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass

from chainboot.settings import RUNTIME
from chainboot.text import printable

KMSG = "/dev/kmsg"

# Two files of this size at most: a script that lists entries every second must not fill the memory.
_LARGEST = 128 << 10
# Bytes of UTF-8: of a name, of what was done, and of a kernel record, of which /dev/kmsg refuses more than about 1000
# (kernel/printk/printk.c, devkmsg_write).
_LONGEST_NAME = 512
_LONGEST_ACT = 4096
_LONGEST_RECORD = 900


@dataclass(frozen=True, slots=True)
class Act:
    """A line of the log. `time` is UTC as ISO 8601, `uptime_ds` tenths of a second since the kernel's start."""

    time: str
    uptime_ds: int
    who: str
    what: str


class Log:
    """The log below `runtime`. Nothing here raises: what cannot be written down happens all the same."""

    def __init__(self, runtime: str = RUNTIME, kmsg: str = KMSG) -> None:
        self._path = f"{runtime}/log"
        self._kmsg = kmsg

    def write(self, who: str, what: str) -> None:
        """Write down that `who` did `what`; what is too long for the file or for the kernel ends in `~` there."""
        who, what = _clean(who, _LONGEST_NAME) or "somebody", _clean(what, _LONGEST_ACT)
        uptime = time.monotonic_ns() // 100_000_000
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        line = f"{stamp}\t{uptime}\t{who}\t{what}\n"
        with suppress(OSError):
            if os.path.exists(self._path) and os.path.getsize(self._path) > _LARGEST:
                os.replace(self._path, f"{self._path}.1")
            # O_APPEND: lines of several sessions do not tear each other.
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.write(descriptor, line.encode("utf-8", "replace"))
            finally:
                os.close(descriptor)
        with suppress(OSError):
            # <5>: KERN_NOTICE (Documentation/ABI/testing/dev-kmsg). One write is one record.
            descriptor = os.open(self._kmsg, os.O_WRONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            try:
                os.write(descriptor, f"{_cut(f'<5>chainboot: {who}: {what}', _LONGEST_RECORD - 1)}\n".encode())
            finally:
                os.close(descriptor)

    def read(self) -> tuple[Act, ...]:
        """Every act that is still known, oldest first."""
        lines: list[str] = []
        for path in (f"{self._path}.1", self._path):
            with suppress(OSError), open(path, encoding="utf-8", errors="replace") as file:
                lines += file.read(2 * _LARGEST).splitlines()
        return tuple(act for act in map(_act, lines) if act is not None)

    def last(self) -> str:
        """The newest act as a sentence; empty where there is none."""
        acts = self.read()
        return f"{acts[-1].who}: {acts[-1].what}" if acts else ""


def _clean(text: str, most: int) -> str:
    """`text` as one line without control characters, of at most `most` bytes."""
    # Of a text of megabytes no more is looked at than tells that it is too long.
    line = " ".join(printable(text[: most + 1]).split())
    return _cut(f"{line}~" if len(text) > most + 1 else line, most)


def _cut(text: str, most: int) -> str:
    """The beginning of `text` that is `most` bytes long at most, with `~` at its end where something is missing."""
    data = text.encode("utf-8", "replace")
    return text if len(data) <= most else data[: most - 1].decode("utf-8", "ignore") + "~"


def _act(line: str) -> Act | None:
    words = line.split("\t", 3)
    if len(words) != 4 or not (words[1].isascii() and words[1].isdigit()):
        return None
    return Act(words[0], int(words[1]), words[2], words[3])
