"""Bytes on their way to a terminal or a pipe that may not take them.

A serial line whose flow control is off, a pager that waits, a stalled link: none of them may stop a countdown. So
nothing here waits, except `drain`, and that not for long. Knows nothing of what the bytes mean.
"""

from __future__ import annotations

import os
import select
import time
from contextlib import suppress

from chainboot.errors import ChainbootError
from chainboot.session.layout import wrap

# A descriptor that is not ours alone cannot be made non-blocking (the flag belongs to all who share it): small pieces,
# each only after poll() said there is room.
_PIECE = 256
# Lines for a reader that stopped reading: the oldest go first.
_LARGEST_BACKLOG = 1 << 20


class TerminalGone(ChainbootError):  # noqa: N818 - named after what happened
    """The other end hung up: the session is over."""

    def __init__(self) -> None:
        super().__init__("the terminal is gone")


class Output:
    """Writes to `fd` without waiting for it and keeps what does not go yet. `fd` itself stays as it is.

    Lines are broken into rows of `cells`, where that is given, at blanks: see `line_cells`.
    """

    def __init__(self, fd: int, cells: int | None = None) -> None:
        self._fd = fd
        self._cells = cells
        self._tty = os.isatty(fd)
        self._own = _reopened(fd)
        self._backlog = bytearray()

    def fileno(self) -> int:
        """The descriptor to poll for room."""
        return self._fd if self._own is None else self._own

    @property
    def pending(self) -> bool:
        """Whether something has not gone yet."""
        return bool(self._backlog)

    def write(self, data: bytes) -> None:
        """Take `data`, and send what goes at once. `TerminalGone` if nobody is there any more."""
        self._backlog += data
        del self._backlog[: max(len(self._backlog) - _LARGEST_BACKLOG, 0)]
        self.push()

    def write_line(self, line: str) -> None:
        """Take a line of clean text. A terminal that may not read UTF-8 gets ASCII: see terminal.py's question."""
        rows = [line] if self._cells is None else wrap(line, self._cells, _MOST_ROWS) or [""]
        self.write(b"".join(row.encode("ascii" if self._tty else "utf-8", "replace") + b"\n" for row in rows))

    def push(self) -> bool:
        """Send what goes without waiting; True if nothing is left."""
        while self._backlog and self._room(0):
            piece = self._backlog[:_PIECE] if self._own is None else self._backlog
            try:
                del self._backlog[: os.write(self.fileno(), piece)]
            except BlockingIOError:
                return False
            except OSError as error:
                raise TerminalGone from error
        return not self._backlog

    def drain(self, seconds: float) -> None:
        """Send the rest, for at most `seconds`; what does not go by then is lost."""
        end = time.monotonic() + seconds
        while self._backlog and (left := end - time.monotonic()) > 0:
            if self._room(left):
                self.push()
        self._backlog.clear()

    def close(self) -> None:
        """Give back what was opened. `fd` stays open."""
        if self._own is not None:
            os.close(self._own)
            self._own = None

    def _room(self, seconds: float) -> bool:
        poll = select.poll()
        poll.register(self.fileno(), select.POLLOUT)
        return bool(poll.poll(seconds * 1000))


def _reopened(fd: int) -> int | None:
    """The terminal behind `fd` opened once more, non-blocking, for us alone; None if it is none or cannot be had."""
    try:
        name = os.ttyname(fd)
        return os.open(name, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None


_INCAPABLE = frozenset({"", "dumb", "unknown"})
# What is left of 80 columns when the last one stays empty, as it must where a full row is followed by an empty one.
_USUAL_CELLS = 79
_LEAST_CELLS = 20
_MOST_ROWS = 1000


def prints_only(term: str | None) -> bool:
    """Whether a terminal of this type (TERM) shows lines and can do no more."""
    return (term or "") in _INCAPABLE


def line_cells(fd: int, term: str | None) -> int | None:
    """The cells of a row on a terminal that only prints; None where lines are not to be broken.

    An operator's console (3215, the SCLP's line mode) has 80 columns and does not say so: it reports a size of 0.
    """
    if not prints_only(term) or not os.isatty(fd):
        return None
    with suppress(OSError):
        columns = os.get_terminal_size(fd).columns
        return max(columns - 1, _LEAST_CELLS) if columns else _USUAL_CELLS
    return _USUAL_CELLS


_SPEAKING_S = 1.0


def speak(text: str, fd: int = 1) -> None:
    """Say a line, and wait a second at most for a terminal that takes it.

    A Ctrl-S, or noise on a serial line that reads like one, must not stop the machine in the middle of a boot.
    """
    output = Output(fd, line_cells(fd, os.environ.get("TERM")))
    try:
        with suppress(TerminalGone):
            output.write_line(text)
            output.drain(_SPEAKING_S)
    finally:
        output.close()
