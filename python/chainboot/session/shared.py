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
from chainboot.session.presence import RUNTIME

# One line for each entry that did not load; a file that nobody but root writes.
_LONGEST = 1 << 20


class Shared:
    """The files below `runtime`."""

    def __init__(self, runtime: str = RUNTIME) -> None:
        os.makedirs(runtime, mode=0o700, exist_ok=True)
        self._runtime = runtime

    # -- the countdown

    def countdown(self, observe: Callable[[Countdown], Countdown]) -> Countdown:
        """The countdown, after `observe` has made of it what the caller sees."""
        with self._lock("countdown.lock"):
            before = decode(self._read("countdown"))
            after = observe(before)
            if after != before:
                self._write("countdown", after.encode())
        return after

    # -- entries that did not load

    def failed(self) -> dict[Identity, str]:
        """The entries that did not load since the machine came up, and why: the timer passes them over."""
        found: dict[Identity, str] = {}
        for line in self._read("failed").splitlines():
            root, file, number, why = (line.split("\t") + [""] * 4)[:4]
            if number.isascii() and number.isdigit():
                found[_plain(root), _plain(file), int(number)] = _plain(why)
        return found

    def fail(self, entry: Identity, why: str) -> None:
        """Write down that an entry did not load."""
        with self._lock("failed.lock"):
            known = {**self.failed(), entry: why}
            lines = ("\t".join(map(_field, (*each, reason))) for each, reason in known.items())
            self._write("failed", "".join(f"{line}\n" for line in lines))

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

    def leaving(self) -> str:
        """What the machine is about to do, for everybody to read; empty: it stays."""
        return self._read("leaving").strip()

    def leave(self, what: str) -> None:
        """Say that the machine is about to go: sessions end, and nobody restarts the SSH server."""
        self._write("leaving", f"{what}\n")

    def stay(self) -> None:
        """Undo `leave`, after a boot that failed."""
        with suppress(FileNotFoundError):
            os.unlink(f"{self._runtime}/leaving")

    # -- inside

    @contextmanager
    def _lock(self, name: str) -> Iterator[None]:
        descriptor = os.open(f"{self._runtime}/{name}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _read(self, name: str) -> str:
        try:
            with open(f"{self._runtime}/{name}", encoding="utf-8", errors="surrogateescape") as file:
                return file.read(_LONGEST)
        except OSError:
            return ""

    def _write(self, name: str, text: str) -> None:
        fresh = f"{self._runtime}/.{name}-{os.getpid()}"
        with open(fresh, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
        os.rename(fresh, f"{self._runtime}/{name}")


def _field(value: object) -> str:
    """Any text without tabs and line ends, so that it comes back as it was: a file may be called anything."""
    return str(value).encode("unicode_escape").decode("ascii")


def _plain(field: str) -> str:
    return field.encode("ascii", "replace").decode("unicode_escape", "replace")
