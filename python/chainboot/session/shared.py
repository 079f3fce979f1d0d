"""What all sessions of a machine share, as small files below the runtime directory.

Each is replaced by rename, so a reader sees the old or the new one, and a session that dies leaves nothing half
written. The countdown is read and written under a lock. What these files mean is in `countdown` and `console`.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from chainboot.session.choice import Identity
from chainboot.session.countdown import Countdown, decode
from chainboot.settings import RUNTIME

# One line for each entry that did not load; a file that nobody but root writes.
_LONGEST = 1 << 20


class Shared:
    """The files below `runtime`."""

    def __init__(self, runtime: str = RUNTIME) -> None:
        with suppress(OSError):
            os.makedirs(runtime, mode=0o700, exist_ok=True)
        self._runtime = runtime
        self._own: Countdown | None = None  # what could not be written
        self._failed: dict[Identity, str] = {}

    # -- the countdown

    def countdown(self, observe: Callable[[Countdown], Countdown]) -> Countdown:
        """The countdown, after `observe` has made of it what the caller sees.

        Where there is no room for a file each session counts for itself: a machine that boots is what matters.
        """
        with self._lock("countdown.lock"):
            before = self._own or decode(self._read("countdown"))
            after = observe(before)
            if after != before or self._own is not None:
                self._own = None if self._write("countdown", after.encode()) else after
        return after

    # -- entries that did not load

    def failed(self) -> dict[Identity, str]:
        """The entries that did not load since the machine came up, and why: the timer passes them over."""
        found: dict[Identity, str] = {}
        for line in self._read("failed").split("\n"):
            root, file, number, why = (line.split("\t") + [""] * 4)[:4]
            if number.isascii() and number.isdigit():
                found[_plain(root), _plain(file), int(number)] = _plain(why)
        return {**found, **self._failed}

    def fail(self, entry: Identity, why: str) -> None:
        """Write down that an entry did not load."""
        with self._lock("failed.lock"):
            known = {**self.failed(), entry: why}
            lines = ("\t".join(map(_field, (*each, reason))) for each, reason in known.items())
            if not self._write("failed", "".join(f"{line}\n" for line in lines)):
                self._failed[entry] = why

    # -- looking again

    def looks(self) -> int:
        """How often somebody has asked all sessions to look for disks and entries again."""
        text = self._read("looks").strip()
        return int(text) if text.isascii() and text.isdigit() else 0

    def look_again(self) -> int:
        """Ask all sessions to look again. Returns the new number."""
        with self._lock("looks.lock"):
            number = self.looks() + 1
            self._write("looks", f"{number}\n")
        return number

    # -- leaving

    def leaving(self) -> tuple[str, int]:
        """What the machine is about to do, for everybody to read, and since when (as `leave`); "" and 0: it stays."""
        told, _, since = self._read("leaving").rstrip("\n").rpartition("\n@")
        return (told, int(since) * 10) if told and since.isascii() and since.isdigit() else ("", 0)

    def leave(self, what: str, now_ds: int) -> None:
        """Say that the machine is about to go: sessions end, and nobody restarts the SSH server.

        `now_ds` is the time since the kernel's start, in tenths of a second.
        """
        self._write("leaving", f"{' '.join(what.splitlines())}\n@{now_ds // 10}\n")

    def stay(self) -> None:
        """Undo `leave`, after a boot that failed."""
        with suppress(OSError):
            os.unlink(f"{self._runtime}/leaving")

    # -- inside

    @contextmanager
    def _lock(self, name: str) -> Iterator[None]:
        """Keep the others from writing meanwhile. Where there is no room for the lock's file it is done without."""
        descriptor = None
        with suppress(OSError):
            descriptor = os.open(f"{self._runtime}/{name}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if descriptor is not None:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            if descriptor is not None:
                os.close(descriptor)

    def _read(self, name: str) -> str:
        try:
            with open(f"{self._runtime}/{name}", encoding="utf-8", errors="surrogateescape") as file:
                return file.read(_LONGEST)
        except OSError:
            return ""

    def _write(self, name: str, text: str) -> bool:
        """Replace a file; False where there is no room for it."""
        fresh = f"{self._runtime}/.{name}-{os.getpid()}"
        try:
            with open(fresh, "w", encoding="utf-8", errors="surrogateescape") as file:
                file.write(text)
            os.rename(fresh, f"{self._runtime}/{name}")
        except OSError:
            with suppress(OSError):
                os.unlink(fresh)
            return False
        return True


# No codec such as unicode_escape: the first stage's image has those that Python itself needs, and no others.
_ESCAPES = (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r"))


def _field(value: object) -> str:
    """Any text without tabs and line ends, so that it comes back as it was: a file may be called anything."""
    text = str(value)
    for plain, escaped in _ESCAPES:
        text = text.replace(plain, escaped)
    return text


def _plain(field: str) -> str:
    parts = field.split("\\\\")
    for plain, escaped in _ESCAPES[1:]:
        parts = [part.replace(escaped, plain) for part in parts]
    return "\\".join(parts)
