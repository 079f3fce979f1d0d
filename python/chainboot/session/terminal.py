"""A full screen: raw mode, keys, size, and the bytes that draw a frame.

The only module that touches termios. The terminal is given back as it was, whatever happens. Speaks what xterm, the
Linux console, VT220 and every serial terminal program understand; no terminfo, no alternate screen (serial consoles
have none, and what was shown stays readable after the menu has gone).
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import termios
import time
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType
from typing import Self

from chainboot.errors import ChainbootError
from chainboot.session.events import Event, Key, Resize
from chainboot.session.frame import Frame, render
from chainboot.session.keys import KeyDecoder
from chainboot.session.line_menu import LineMenu
from chainboot.session.loop import MenuTerminal
from chainboot.session.output import Output, TerminalGone, line_cells, prints_only
from chainboot.session.state import ScreenState

# How long an ESC waits for the rest of its sequence, in seconds.
_ESCAPE_S = 0.1
# How long leaving waits for a slow line, in seconds.
_DRAIN_S = 1.0
_USUAL = (80, 24)

_HIDE, _SHOW = "\x1b[?25l", "\x1b[?25h"
# No automatic margins: where this program and the terminal disagree about the width of a character, a line must not
# spill into the next row.
_NO_WRAP, _WRAP = "\x1b[?7l", "\x1b[?7h"
_REVERSE, _PLAIN = "\x1b[7m", "\x1b[0m"
_CLEAR = f"{_PLAIN}\x1b[H\x1b[2J"
# The cursor goes as far as it can and the terminal says where that is.
_ASK_SIZE = "\x1b[999;999H\x1b[6n"
# One character of two bytes, and the terminal says where the cursor is now: after one cell if it reads UTF-8. To one
# that does not, the second byte of another character may be CSI (0x9B), which would drive it; so until a terminal has
# answered it gets ASCII. Not in the first row, where the answer would read like a modified F3 (CSI 1;2R). The first
# frame clears the screen.
_ASK_CHARSET = "\x1b[2;20H\u00e9\x1b[6n\r"
_AFTER_ONE_CELL = 21

# A report of a smaller size is no size.
_SMALLEST = (10, 3)

_Handler = Callable[[int, FrameType | None], object] | int | signal.Handlers | None


def capable(fd_in: int, fd_out: int, term: str | None) -> bool:
    """Whether `FullScreen` works here: both ends are a terminal, and TERM says it can do more than print."""
    return not prints_only(term) and os.isatty(fd_in) and os.isatty(fd_out)


@contextlib.contextmanager
def open_terminal(fd_in: int = 0, fd_out: int = 1) -> Iterator[MenuTerminal]:
    """The menu's terminal on these descriptors: the full screen where that works, else numbered lines."""
    if capable(fd_in, fd_out, os.environ.get("TERM")):
        with FullScreen(fd_in, fd_out) as screen:
            yield screen
        return
    output = Output(fd_out, line_cells(fd_out, os.environ.get("TERM")))
    try:
        yield LineMenu(fd_in, output.write_line)
    finally:
        with contextlib.suppress(TerminalGone):
            output.drain(_DRAIN_S)
        output.close()


class FullScreen:
    """The menu on a terminal. A context manager: raw mode inside, everything as before outside.

    SIGTERM and SIGHUP give the terminal back and then do what they did before; SIGWINCH is a `Resize`.
    """

    def __init__(self, fd_in: int, fd_out: int) -> None:
        self._in = fd_in
        self._out = fd_out
        self._size = _USUAL
        self._size_unknown = False
        self._charset_asked = False
        self._utf8 = False
        self._announced = False  # whether the size was reported as an event
        self._decoder = KeyDecoder()
        self._wanted: Frame | None = None
        self._shown: list[tuple[str, bool]] | None = None  # what the rows hold; None: anything
        self._cursor: tuple[int, int] | None = None

    def __enter__(self) -> Self:
        try:
            self._before = termios.tcgetattr(self._in)
        except termios.error as error:
            raise ChainbootError(f"this is no terminal: {error.args[-1]}") from error
        self._output = Output(self._out)
        self._wake, self._waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._handlers: list[tuple[signal.Signals, _Handler]] = []
        self._restored = False
        try:
            self._handle(signal.SIGTERM, self._die)
            self._handle(signal.SIGHUP, self._die)
            self._handle(signal.SIGWINCH, self._resized)
            self._set(_raw(self._before))
            self._write(_HIDE + _NO_WRAP)
            self._ask_charset()
            self._measure()
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    @property
    def busy(self) -> bool:
        """Whether the line has not taken everything yet."""
        return self._output.pending

    def draw(self, state: ScreenState) -> None:
        """Show `state`: only rows that changed are sent. On a line that is still busy the newest frame waits."""
        self._wanted = render(state, *self._size)
        if not self._output.pending:
            self._paint(self._wanted)

    def events(self, timeout_ds: int | None) -> tuple[Event, ...]:
        """See `MenuTerminal`. The first call reports the size at once. `TerminalGone` on a hangup."""
        end = None if timeout_ds is None else time.monotonic() + timeout_ds / 10
        if not self._announced:
            self._announced = True
            return (Resize(*self._size),)
        while True:
            left = None if end is None else max(end - time.monotonic(), 0)
            partial = self._decoder.pending
            ready = self._poll(min(left, _ESCAPE_S) if left is not None and partial else _ESCAPE_S if partial else left)
            events: list[Event] = []
            if self._wake in ready:
                os.read(self._wake, 4096)
                self._measure()
                events.append(Resize(*self._size))
            if self._in in ready:
                events += self._keys(
                    hung_up=bool(ready[self._in] & (select.POLLHUP | select.POLLERR | select.POLLNVAL))
                )
            elif partial and not ready and (left is None or left >= _ESCAPE_S):
                events += self._decoder.flush()
            if self._output.pending and self._output.push() and self._wanted is not None:
                self._paint(self._wanted)
            if events or (left is not None and left <= 0) or (not ready and not partial and end is not None):
                return tuple(events)

    def _poll(self, seconds: float | None) -> dict[int, int]:
        """Which descriptors are ready, with their poll events."""
        poll = select.poll()
        poll.register(self._in, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        if self._output.pending:
            poll.register(self._output.fileno(), select.POLLOUT)
        return dict(poll.poll(None if seconds is None else seconds * 1000))

    def _keys(self, *, hung_up: bool) -> list[Event]:
        """What was pressed. An empty read alone is no hangup: another reader of this terminal may have been faster."""
        try:
            data = os.read(self._in, 4096)
        except BlockingIOError:
            return []
        except OSError as error:
            raise TerminalGone from error
        if not data and hung_up:
            raise TerminalGone
        events: list[Event] = []
        for event in self._decoder.feed(data):
            if isinstance(event, Resize) and self._charset_asked:
                self._charset_asked = False
                self._use_utf8(event.columns == _AFTER_ONE_CELL)
                continue
            if isinstance(event, Resize):
                if (
                    not self._size_unknown or event.columns < _SMALLEST[0] or event.rows < _SMALLEST[1]
                ):  # nobody asked: noise, or an answer that came late
                    continue
                self._size = (event.columns, event.rows)
                self._shown = None
            elif event == Key("C-l"):
                self._ask_charset()
                self._measure()
            events.append(event)
        return events

    def _ask_charset(self) -> None:
        self._charset_asked = True
        self._output.write(_ASK_CHARSET.encode())

    def _use_utf8(self, utf8: bool) -> None:
        if utf8 != self._utf8:
            self._utf8 = utf8
            self._shown = None
            if self._wanted is not None and not self._output.pending:
                self._paint(self._wanted)

    def _measure(self) -> None:
        """Learn the size. Serial lines have none (0x0): assume the usual one and ask the terminal."""
        self._shown = None
        columns, rows = 0, 0
        with contextlib.suppress(OSError):
            columns, rows = os.get_terminal_size(self._out)
        self._size_unknown = columns <= 0 or rows <= 0
        if self._size_unknown:
            self._write(_ASK_SIZE)
        else:
            self._size = (columns, rows)

    def _paint(self, frame: Frame) -> None:
        """Send what differs. Each row ends in a newline, so that a reader of lines sees each row as a whole line."""
        out: list[str] = []
        if self._shown is None:
            self._shown = []
            self._cursor = None
            out.append(_HIDE + _CLEAR)
        rows = [(line, at == frame.selected_row) for at, line in enumerate(frame.lines)]
        before = self._shown + [("", False)] * (len(rows) - len(self._shown))
        changed = False
        for at, row in enumerate(rows + [("", False)] * (len(before) - len(rows))):
            if row == before[at]:
                continue
            if not changed and self._cursor is not None:
                out.append(_HIDE)
            changed = True
            line, selected = row
            text = f"{_REVERSE}{line}{_PLAIN}" if selected else line
            out.append(f"\x1b[{at + 1};1H{text}\x1b[K\r\n")
        if frame.cursor is not None and (changed or frame.cursor != self._cursor):
            out.append(f"\x1b[{frame.cursor[0] + 1};{frame.cursor[1] + 1}H{_SHOW}")
        elif frame.cursor is None and (changed or self._cursor is not None or out):
            # Out of the way: what the kernel prints meanwhile goes below the menu.
            out.append(f"{_HIDE if self._cursor is not None else ''}\x1b[{self._size[1]};1H")
        self._shown, self._cursor = rows, frame.cursor
        if out:
            self._write("".join(out))

    def _write(self, text: str) -> None:
        self._output.write(text.encode("utf-8" if self._utf8 else "ascii", "replace"))

    def _set(self, attributes: list[int | list[bytes | int]]) -> None:
        # Not TCSADRAIN or TCSAFLUSH: the first waits for ever on a line that takes nothing, the second throws away
        # what a person has typed already.
        termios.tcsetattr(self._in, termios.TCSANOW, attributes)

    def _leave(self) -> None:
        """Give the terminal back. Never fails: there may be none any more."""
        for number, handler in self._handlers:
            signal.signal(number, handler or signal.SIG_DFL)
        self._handlers.clear()
        self._restore()
        self._output.close()
        os.close(self._wake)
        os.close(self._waker)

    def _restore(self) -> None:
        if self._restored:
            return
        self._restored = True
        below = min(len(self._shown or ()) + 1, self._size[1])
        with contextlib.suppress(ChainbootError):
            self._write(f"{_PLAIN}\x1b[{below};1H\x1b[J{_WRAP}{_SHOW}")
            self._output.drain(_DRAIN_S)
        with contextlib.suppress(OSError, termios.error):
            self._set(self._before)

    def _handle(self, number: signal.Signals, handler: Callable[[int, FrameType | None], None]) -> None:
        """Take a signal over, unless it is ignored; outside the main thread Python has no signals."""
        before = signal.getsignal(number)
        if before is signal.SIG_IGN:
            return
        with contextlib.suppress(ValueError):
            signal.signal(number, handler)
            self._handlers.append((number, before))

    def _resized(self, _number: int, _frame: FrameType | None) -> None:
        with contextlib.suppress(OSError):
            os.write(self._waker, b"w")

    def _die(self, number: int, _frame: FrameType | None) -> None:
        """Give the terminal back, then let the signal do what it would have done without us."""
        self._restore()
        before = next((handler for known, handler in self._handlers if known == number), signal.SIG_DFL)
        signal.signal(number, before or signal.SIG_DFL)
        os.kill(os.getpid(), number)


def _raw(before: list[int | list[bytes | int]]) -> list[int | list[bytes | int]]:
    """Raw mode as cfmakeraw(3) has it, with reads that never wait; breaks on a serial line are ignored, not read."""
    iflag, oflag, cflag, lflag, ispeed, ospeed, characters = before
    assert isinstance(iflag, int) and isinstance(oflag, int) and isinstance(cflag, int) and isinstance(lflag, int)
    assert isinstance(characters, list)
    iflag &= ~(
        termios.BRKINT | termios.PARMRK | termios.ISTRIP | termios.INLCR | termios.IGNCR | termios.ICRNL | termios.IXON
    )
    iflag |= termios.IGNBRK
    oflag &= ~termios.OPOST
    lflag &= ~(termios.ECHO | termios.ECHONL | termios.ICANON | termios.ISIG | termios.IEXTEN)
    cflag = cflag & ~(termios.CSIZE | termios.PARENB) | termios.CS8
    keys = list(characters)
    keys[termios.VMIN], keys[termios.VTIME] = 0, 0
    return [iflag, oflag, cflag, lflag, ispeed, ospeed, keys]
