"""Reads whole lines of a pair of streams and writes whole lines, as a menu: what they mean is in `lines`."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from chainboot.session.events import EndOfInput, Event, Key
from chainboot.session.keys import UNKNOWN
from chainboot.session.lines import announce, parse
from chainboot.session.output import TerminalGone
from chainboot.session.state import Mode, ScreenState

_LONGEST_LINE = 65536
_END = b"\x04"


@contextmanager
def _interruptible() -> Iterator[None]:
    """While a line is waited for, an interrupt arrives: what /init starts beside others was told to ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class LineMenu:
    """The menu on a pair of streams: lines are read from `fd`, each line to print is given to `write_line`."""

    def __init__(self, fd: int, write_line: Callable[[str], None]) -> None:
        self._fd = fd
        self._tty = os.isatty(fd)  # asked now: after a hangup nothing can be asked any more
        self._write_line = write_line
        self._buffer = bytearray()
        self._ended = False
        self._end_told = False
        self._left = False
        self._state: ScreenState | None = None
        self._answering = False
        self._again = False

    def draw(self, state: ScreenState) -> None:
        """Print what is new in `state`."""
        before = None if self._again else self._state
        for line in announce(before, state, answering=self._answering):
            self._write_line(line)
        self._state, self._answering, self._again = state, False, False

    def events(self, timeout_ds: int | None) -> tuple[Event, ...]:
        """See `MenuTerminal`: the events of one line. At the end of input the countdown goes on, if there is one."""
        end = None if timeout_ds is None else time.monotonic() + timeout_ds / 10
        while True:
            line = self._take_line()
            if line is not None:
                return self._understand(line)
            if self._ended and (not self._end_told or timeout_ds is None):
                self._end_told = True
                return (EndOfInput(),)
            left = None if end is None else max(end - time.monotonic(), 0)
            try:
                with _interruptible():
                    came = self._read(left)
            except KeyboardInterrupt:
                # The drivers of 3215 and SCLP make this of a line ^c, and an end of input of ^d.
                self._buffer.clear()
                self._answering = True
                return (Key("C-c"),)
            if self._left:
                self._left, self._answering = False, True
                editing = self._state is not None and self._state.mode is Mode.EDIT
                return (Key("C-c" if editing else "q"),)
            if not came and left is not None:
                return ()

    def _understand(self, line: str) -> tuple[Event, ...]:
        if self._state is None:  # nothing was printed yet that could be answered
            return (Key(UNKNOWN),)
        command = parse(line, self._state)
        if command.answer:
            self._write_line(command.answer)
        self._answering, self._again = True, command.again
        return command.events

    def _take_line(self) -> str | None:
        end = self._buffer.find(b"\n")
        if end < 0 and len(self._buffer) <= _LONGEST_LINE and not (self._ended and self._buffer):
            return None
        end = end if end >= 0 else len(self._buffer)
        line = bytes(self._buffer[: min(end, _LONGEST_LINE)])
        del self._buffer[: end + 1]
        return line.removesuffix(b"\r").decode("utf-8", "surrogateescape")

    def _read(self, seconds: float | None) -> bool:
        """Wait for input; False if none came in time."""
        poll = select.poll()
        if not self._ended:
            poll.register(self._fd, select.POLLIN)
        ready = poll.poll(None if seconds is None else seconds * 1000)
        if not ready:
            return False
        try:
            # Byte by byte, as a shell's `read` does: what follows the line belongs to whoever reads next, be it the
            # rescue shell or the menu after it.
            data = os.read(self._fd, 1)
        except BlockingIOError:
            return True
        except OSError as error:
            raise TerminalGone from error
        hung_up = bool(ready[0][1] & (select.POLLHUP | select.POLLERR | select.POLLNVAL))
        if not data and self._tty:
            if hung_up:
                raise TerminalGone
            self._left = True  # Ctrl-D: more can be typed
            return True
        if data == _END and self._tty and not self._buffer:
            self._left = True  # the same on a terminal that is not in canonical mode, as 3215 and SCLP are
            return True
        self._buffer += data
        self._ended = not data
        return True
